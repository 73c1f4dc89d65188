"""Watches a run from outside: how punctual control is, how well the robot follows, what the learner makes of it.

It only subscribes. Once a second it prints a line of JSON on its standard output, and at the end one more: the report.
Receipt times are those at which the middleware took a message in, so that this process's own delays do not count.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from mbrl_ros.control.punctuality import Punctuality
from mbrl_ros.control.report import STRIDE, TrackingScore, tracking_report, write_report
from mbrl_ros.control.response import HOPS, Response, percentiles
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import JointOrder, Refused, stamp_of
from mbrl_ros.nodes.messages.learning import transition_of
from mbrl_ros.nodes.messages.motion import applied_of, plan_of, velocity_command_of
from mbrl_ros.nodes.messages.state import base_of
from mbrl_ros.nodes.messages.status import event_of, values_of
from mbrl_ros.nodes.refusals import Refusals
from mbrl_ros.nodes.run import run_node
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.types import NS

EVERY = 1.0  # s between two lines
SAME_FALL = NS  # bridge and guard may both announce one
AROUND_A_SWAP = 3  # steps before and after a swap in which a miss is counted as its doing
MOST_LISTED = 100
RECENT = 500  # steps behind the percentiles of a line
STILL = (0.0, 0.0, 0.0)


class Times(NamedTuple):
    """When a message was taken in and when it was sent, ns of the wall clock; or what is made of each."""

    received: int
    sent: int


class Judge(Node):
    def __init__(self, spec: RobotSpec, args: argparse.Namespace):
        super().__init__("judge")
        self._spec, self._args = spec, args
        self._timeout_ns = round(args.command_timeout * NS)
        self._punctuality = Punctuality(spec.dt_ns, args.delay)
        self._score = TrackingScore()
        self._responses = Times(Response(), Response())
        self._command, self._command_received_ns = STILL, 0
        self._truth: deque[tuple[int, tuple[float, float, float]]] = deque()  # of the last stride
        self._now_ns = self._first_ns = None  # robot time
        self._plans = 0  # since the robot was first driven
        self._plans_at_last_line, self._all_plans = 0, 0
        self._first_plan = self._last_plan = None  # (robot time, receipt) since the robot was first driven
        self._scoring, self._action = False, None
        self._falls: list[int] = []
        self._falls_exploring = 0
        self._versions: list[tuple[int, int]] = []  # (robot time, model version) at each change
        self._sent: dict[int, int] = {}  # planner start: transitions sent
        self._sent_by_then = 0  # when the learner last said how many it has received
        self._said: dict[str, dict[str, str]] = {}  # node: its diagnostics
        self._rungs: list[dict] = []  # each change of a rung of a ladder that a node told of
        self._refused = Refusals()  # messages that could not be read, by reason
        self._plan_order = JointOrder(spec.actuated_names)
        self._applied_order = JointOrder(spec.actuated_names)
        self._listen()
        self.create_timer(EVERY, lambda: print(json.dumps(self._status()), flush=True))

    def _listen(self) -> None:
        self._hear(topics.JOINT_STATES, self._state)
        # Deeper than what the guard needs: a judge that is late must not miss anything.
        self._hear(replace(topics.PLAN, qos="reliable 50"), self._planned)
        self._hear(topics.APPLIED, self._applied)
        self._hear(topics.EVENTS, self._event)
        self._hear(topics.TRANSITION, self._transition)
        self._hear(topics.DIAGNOSTICS, self._diagnostics)
        self._hear(topics.CMD_VEL_STAMPED if self._args.stamped_command else topics.CMD_VEL, self._commanded)
        if self._args.bare_hops:
            for hop, topic in zip(HOPS, (topics.BARE_HOP_ONCE, topics.BARE_HOP_TWICE), strict=True):
                self._hear(topic, lambda message, at, hop=hop: self._hopped(hop, message, at))
        if self._spec.base is not None:
            self._hear(replace(topics.GROUND_TRUTH, name=self._args.truth), self._true_state)

    def _hear(self, topic: topics.Topic, callback) -> None:
        """`callback(message, Times)`; what cannot be read is counted."""

        def take(message, info):
            try:
                callback(message, Times(info["received_timestamp"], info["source_timestamp"]))
            except Refused as refusal:
                refuse(refusal)

        def refuse(refusal: Refused) -> None:
            self._refused.note(f"{topic.name}: {refusal}")

        topics.subscription(self, topic, take, refuse=refuse)

    def _state(self, message, at: Times) -> None:
        self._now_ns = stamp_of(message.header.stamp)
        if self._first_ns is None:
            self._first_ns = self._now_ns
        for response, when_ns in zip(self._responses, at, strict=True):
            response.state(self._now_ns, when_ns)

    def _planned(self, message, at: Times) -> None:
        plan = plan_of(message, self._spec, self._plan_order)
        self._all_plans += 1
        self._punctuality.plan(plan.sequence, plan.stamp_ns)
        if not self._versions or plan.model != self._versions[-1][1]:
            self._versions.append((plan.stamp_ns, plan.model))
        if self._punctuality.driven_since is not None:
            self._plans += 1
            self._last_plan = (plan.stamp_ns, at.received)
            self._first_plan = self._first_plan or self._last_plan
            for response, when_ns in zip(self._responses, at, strict=True):
                response.plan(plan.sequence, plan.stamp_ns, when_ns)

    def _applied(self, message, at: Times) -> None:
        command = applied_of(message, self._spec, self._applied_order)
        self._action = command.action
        self._punctuality.applied(command.stamp_ns, command.plan_sequence, command.action)
        if self._punctuality.driven_since is not None:
            for response, when_ns in zip(self._responses, at, strict=True):
                response.applied(command.plan_sequence, when_ns)

    def _hopped(self, hop: str, message, at: Times) -> None:
        if self._punctuality.driven_since is not None:
            for response, when_ns in zip(self._responses, at, strict=True):
                response.hopped(hop, stamp_of(message.header.stamp), when_ns)

    def _event(self, message, at: Times) -> None:
        event = event_of(message)
        if self._first_ns is None or event.stamp_ns < self._first_ns:
            return  # latched, of a time before this judge
        self._punctuality.event(event.name)
        if event.name == "fall" and not (self._falls and event.stamp_ns - self._falls[-1] < SAME_FALL):
            self._falls.append(event.stamp_ns)
            self._falls_exploring += not self._commandable()

    def _transition(self, message, at: Times) -> None:
        transition = transition_of(message)
        start = transition.start_ns
        self._sent[start] = max(self._sent.get(start, 0), transition.sequence + 1)

    def _diagnostics(self, message, at: Times) -> None:
        for status in message.status:
            name = status.name.rpartition("/")[2]
            said, before = values_of(status), self._said.get(name, {})
            self._said[name] = said
            if said.get(keys.RUNG) not in (None, before.get(keys.RUNG)):
                self._note_rung(name, said)
            if name == "learner":
                self._sent_by_then = sum(self._sent.values())

    def _note_rung(self, name: str, said: dict[str, str]) -> None:
        at_s = self._driven_for()
        if at_s is not None and len(self._rungs) < MOST_LISTED:
            samples = _number(said.get(keys.SAMPLES))
            self._rungs.append({"at_s": at_s, "node": name, "rung": said[keys.RUNG], "samples": samples})

    def _driven_for(self) -> float | None:
        """s; None before the robot is driven, and before a state has been heard, which may be later."""
        since = self._punctuality.driven_since
        return None if since is None or self._now_ns is None else (self._now_ns - since) / NS

    def _commanded(self, message, at: Times) -> None:
        self._command = tuple(velocity_command_of(message).tolist())
        self._command_received_ns = at.received

    def _true_state(self, message, at: Times) -> None:
        """Scores from the first step that follows commands on, falls included, random motion not."""
        stamp_ns, base = base_of(message)
        if at.received - self._command_received_ns > self._timeout_ns:
            self._command = STILL
        velocity = (*base.linear_velocity_body[:2].tolist(), float(base.angular_velocity_body[2]))
        self._truth.append((stamp_ns, velocity))
        while stamp_ns - self._truth[0][0] >= STRIDE * NS:
            self._truth.popleft()
        if not self._spec.floats or not self._commandable():
            self._score.begin()
            self._scoring = False
        elif self._scoring or self._punctuality.judging:
            self._scoring = True
            self._score.add(stamp_ns / NS, self._command, velocity)

    def _commandable(self) -> bool:
        """Whether the planner goes where cmd_vel says, by what it said last."""
        return self._said.get("planner", {}).get(keys.MODE, "explore") not in keys.MODES_WITHOUT_COMMANDS

    def farewell(self) -> None:
        report = self._report()
        print(json.dumps({"report": report}), flush=True)
        if self._args.report:
            write_report(self._args.report, report)

    def _status(self) -> dict:
        plans, self._plans_at_last_line = self._all_plans - self._plans_at_last_line, self._all_plans
        planner, learner = self._said.get("planner", {}), self._said.get("learner", {})
        return {
            "driven": self._punctuality.driven_since is not None,
            "seconds": self._driven_for(),
            "mode": planner.get(keys.MODE),
            "rate": plans / EVERY,
            "plan_ms": {
                "p50": _number(planner.get(keys.PLAN_MS_P50)),
                "p99": _number(planner.get(keys.PLAN_MS_P99)),
            },
            "samples": _number(planner.get(keys.SAMPLES)),
            "receipt_ms": percentiles(self._responses.received.plan_ms[-RECENT:]),
            "command_ms": percentiles(self._responses.received.command_ms[-RECENT:]),
            "steps": self._punctuality.steps,
            "misses": self._punctuality.misses,
            "model": self._versions[-1][1] if self._versions else None,
            "reward": _number(planner.get(keys.REWARD)),
            "goal": planner.get(keys.GOAL),
            "at_goal": _number(planner.get(keys.AT_GOAL)),
            "violations": _number(planner.get(keys.VIOLATIONS)),
            "data_seconds": _number(learner.get(keys.DATA_SECONDS)),
            "learner": learner.get(keys.STATE),
            "command": self._command if self._spec.floats else None,
            "reached": self._reached(),
            "action": self._action,
            "falls": len(self._falls),
            "transitions_sent": sum(self._sent.values()),
            "missing": _number(learner.get(keys.MISSING)),
        }

    def _reached(self) -> list[float] | None:
        return np.mean([v for _, v in self._truth], axis=0).tolist() if self._truth else None

    def _report(self) -> dict:
        judged, learner = self._punctuality, self._said.get("learner", {})
        rates = self._rates()
        responses = {by: response.report() for by, response in self._responses._asdict().items()}
        report = tracking_report(
            {"robot": self._spec.name, "delay": self._args.delay, "truth": self._args.truth},
            [],
            self._score,
            len(self._falls),
            falls_exploring=self._falls_exploring,
            rate=rates["plans_per_wall_second"],
            miss_share=judged.misses / judged.steps if judged.steps else None,
            receipt_p99_ms=responses["received"]["plan"]["p99"],
            command_p99_ms=responses["received"]["command"]["p99"],
        )
        swaps = [stamp for stamp, _ in self._versions[1:]]
        around = AROUND_A_SWAP * self._spec.dt_ns
        return {
            **report,
            "control": {
                **rates,
                "steps": judged.steps,
                "misses": judged.misses,
                "missed_at_s": [(stamp - judged.driven_since) / NS for stamp in judged.missed[:MOST_LISTED]],
                "misses_around_a_swap": sum(any(abs(m - s) <= around for s in swaps) for m in judged.missed),
            },
            "receipt_ms": responses["received"]["plan"],
            "response_ms": responses,
            "rungs": self._rungs,
            "transitions": {
                "sent_in_all": sum(self._sent.values()),
                "sent": self._sent_by_then,  # of which the learner could say that it has received them
                "received": _number(learner.get(keys.RECEIVED)),
                "missing": _number(learner.get(keys.MISSING)),
            },
            "models": {
                "versions": [version for _, version in self._versions],
                "swaps": len(swaps),
                "proposed": _number(learner.get(keys.PROPOSED)),
                "promoted": _number(learner.get(keys.PROMOTED)),
                "refused": _number(learner.get(keys.REFUSED)),
            },
            "diagnostics": self._said,
            "refused": self._refused,
        }

    def _rates(self) -> dict:
        if self._plans < 2:
            return {"robot_seconds": 0.0, "plans_per_robot_second": None, "plans_per_wall_second": None}
        robot, wall = ((b - a) / NS for a, b in zip(self._first_plan, self._last_plan, strict=True))
        return {
            "robot_seconds": robot,
            "plans_per_robot_second": (self._plans - 1) / robot,
            "plans_per_wall_second": (self._plans - 1) / wall,
        }


def _number(text: str | None) -> float | None:
    """A diagnostic value as a number that JSON can hold; None where a node has not said one."""
    try:
        number = float(text)
    except (TypeError, ValueError):  # not said, or said in words
        return None
    return number if np.isfinite(number) else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="judge", description=__doc__)
    parser.add_argument("--robot", default="go1_like", help="robot file")
    parser.add_argument("--delay", type=int, default=1, help="the planner's, in steps")
    parser.add_argument("--command-timeout", type=float, default=0.5, metavar="S", help="the planner's")
    parser.add_argument("--bare-hops", action="store_true", help="relays run beside the robot: time them, too")
    parser.add_argument("--stamped-command", action="store_true", help="cmd_vel is a TwistStamped")
    parser.add_argument("--truth", default=topics.GROUND_TRUTH.name, metavar="TOPIC", help="odometry to judge by")
    parser.add_argument("--report", metavar="FILE", help="write the report to this file at the end")
    args = parser.parse_args(remove_ros_args(sys.argv)[1:])
    spec = load_robot(args.robot)
    return run_node(lambda: Judge(spec, args))


if __name__ == "__main__":
    raise SystemExit(main())
