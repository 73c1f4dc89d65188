"""The keys that nodes put into their DiagnosticStatus on `diagnostics`, so that writers and readers agree.

`DiagnosticStatus.name` is the node's name. Values are texts, as diagnostic_msgs has them; numbers are written so that
float() reads them. Times named _ms are milliseconds over the last ten seconds or so.
"""

from __future__ import annotations

# planner and guard, of their ladders; also rung_seconds, and of each rung rung_<name>_entered and rung_<name>_seconds
RUNG = "rung"  # where it stands now

# planner
MODE = "mode"  # stand, explore, observe, mppi, policy, hybrid: what it is doing now
MODES_WITHOUT_COMMANDS = ("explore", "observe")  # cmd_vel changes nothing there
PLAN_MS = "plan_ms"  # of the newest plan
SAMPLES = "samples"  # rollouts of a plan now
COMMANDED_VX = "commanded_vx"  # m/s
MEASURED_VX = "measured_vx"  # m/s
TRIM_VX = "trim_vx"  # m/s that the trim adds to the commanded velocity now; beside it trim_vy and, in rad/s, trim_wz
PLAN_MS_P50 = "plan_ms_p50"  # complete state to published plan, as the planner measures it
PLAN_MS_P99 = "plan_ms_p99"
LATE_STEPS = "late_steps"  # steps since the start whose plan was not out within dt
MODEL_VERSION = "model_version"  # in use; 0 where there is none
TRANSITIONS = "transitions"  # sent since the start
SWAPS = "swaps"  # models exchanged between two ticks since the start
SURPRISING_STEPS = "surprising_steps"  # that the flown model predicted worse than its calibrated band, since the start
POLICY_VERSION = "policy_version"  # at hand, flown in the modes policy and hybrid; 0 where there is none
POLICY_SWAPS = "policy_swaps"
REWARD = "reward"  # a step, mean of the last 5 s
GOAL = "goal"  # the task's word for it, where it has one
AT_GOAL = "at_goal"  # share of the last 5 s
OUTSIDE = "outside"  # share of the last 5 s out of the task's bounds of the state, where it has some
VIOLATIONS = "violations"  # steps out of them, since the start
DISAGREEMENT = "disagreement"  # of the ensemble about what comes of what was decided, in usual sizes
DOUBT = "doubt"  # 0..1: the same as the probability that the model is off by more than usual, smoothed; or why unknown
DOUBT_AGE = "doubt_age"  # s of robot time since a plan was last looked at
SPEED_SHARE = "speed_share"  # of the commanded speed that this leaves; 0 while the robot stands because of it

# learner
RECEIVED = "received"  # transitions of this run, those read back from its journal too, duplicates not counted
MISSING = "missing"  # sequence numbers that never came
DATA_SECONDS = "data_seconds"  # of robot time in the replay buffer
VERSION = "version"  # newest promoted
PROPOSED = "proposed"  # candidates that went to the held-out check
PROMOTED = "promoted"
REFUSED = "refused"
JOURNALED = "journaled"  # transitions that this process has written to the journal
NOT_JOURNALED = "not_journaled"  # that it has in memory only, or gave up where the disk was full for too long
STATE = "state"  # waiting, training, distilling
HELD_OUT_ERROR = "held_out_error"
DISTILL_ROUNDS = "distill_rounds"  # since the start
IMITATION = "imitation"  # distance of the newest policy to its teacher
POLICY_REWARD = "policy_reward"  # mean a step, of the newest policy, in the model

# guard
ACTION = "action"  # follow, clip, scale, hold, sit, damp
PLAN_AGE_MS = "plan_age_ms"
STATE_AGE_MS = "state_age_ms"
CLIPPED_SHARE = "clipped_share"  # of all commands, those that a limit changed
LIMITED = "limited_"  # and position, rate, acceleration or torque: commands that this limit changed
UNBELIEVED = "unbelieved"  # why the newest states are not believed; empty while they are
DOUBT = "doubt"  # why no plan is followed though states are believed

# bridge
SLIPPED_SECONDS = "slipped_seconds"  # wall time by which robot time has fallen behind
FAULTS = "faults"  # injected that run now; none

# planner, on model_status
POLICY = "policy"  # version at hand
MODEL_REFUSED, POLICY_REFUSED = "refused ", "policy refused "  # and a version that it will not fly: why
