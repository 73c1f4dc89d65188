"""Laws of motion that are a few lines of algebra, named in known.py: for backends/analytic.py and dynamics/analytic.py.

A law works on `motion` (..., N): of a planar base x, y, heading, vx, vy and yaw rate, the last three in the body frame;
then the joints' positions, then their velocities, as the robot file orders them. It has

    begun(spec, random)                  (N,) where the robot starts
    after(m, spec, motion, target, dt)   (..., N) what comes of targets (..., A) within dt; `m` is numpy or torch
    lost(spec, motion)                   whether one motion (N,) has come to an end from which no target leads back
    exact                                whether one step of any length is as good as many small ones
    smooth                               whether a slightly other target leads slightly elsewhere, so that there is a
                                         slope to climb; where a number is rounded there is none

so that what steps the robot and what plans through it are one definition. Where numbers of it may have to be found in
how the robot moves (dynamics/kinds/physics.py), it also has

    UNKNOWN                              name -> (lowest, highest)
    constants(spec)                      what the robot file says of them
    after(..., found)                    with these in their place, numbers or tensors; None: the robot file's
"""
