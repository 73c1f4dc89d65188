"""What can be set in a run: one frozen dataclass a node, read from config/<run>.yaml. No torch, no ROS.

docs/parameters.md lists them: `python -m mbrl_ros.parameters > docs/parameters.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mbrl_ros.config import ConfigError, section, setting
from mbrl_ros.known import MODELS, PLANNERS, TASKS
from mbrl_ros.learner_settings import (
    DistillConfig,
    EnsembleConfig,
    JournalConfig,
    PracticeConfig,
    TrainConfig,
)
from mbrl_ros.search_settings import (
    CemConfig,
    GradientConfig,
    IcemConfig,
    MctsConfig,
    MppiConfig,
    SearchConfig,
    ShootingConfig,
)

POLICY_MODES = ("policy", "hybrid")
DRIVING_MODES = ("mppi", *POLICY_MODES)
MODES = ("stand", "explore", "observe", *DRIVING_MODES)
SHARED_OUT = ("tsinf", "ts1")  # treatments that give each candidate one rollout; the others one a member
TREATMENTS = (*SHARED_OUT, "ts1_mean", "expectation", "pessimism", "optimism", "cvar")
EXPLORERS = ("random", "disagreement", "counts")
ACTION_MAP_NAMES = ("gait", "joint", "spline", "primitive")
PRECISIONS = ("auto", "bf16", "float32")
TASK_NAMES = tuple(TASKS)
MOST_CORES = 9999  # of any machine


@dataclass(frozen=True)
class Shared:
    """What every node of a run knows."""

    robot: str = setting("go1_like", "robot file in config/robots, or a path to one")
    task: str = setting("quadruped", "task that rewards and ends episodes", choices=TASK_NAMES)
    seed: int = setting(0, "seed of all random numbers", low=0)
    lockstep: bool = setting(False, "every step waits for every node; for tests")
    key_file: str = setting("", "signs models and policies; unsigned ones are refused. Empty: as $MBRL_ROS_KEY_FILE")


def cores_of(text: str) -> frozenset[int]:
    """The processor cores of a list as `taskset -c` takes it: 1, or 0,2-3."""
    cores: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        known = all(number.isdecimal() and len(number) <= len(str(MOST_CORES)) for number in (first, last or first))
        if not known or part.endswith("-"):
            raise ConfigError(f"cores: {text!r} is no list of cores. Examples: '1', '0,2-3'")
        cores |= set(range(int(first), int(last or first) + 1))
    return frozenset(cores)


@dataclass(frozen=True)
class RealtimeConfig:
    """What to ask of the kernel; where it is not permitted, the node says so and goes on without."""

    priority: int = setting(0, "of SCHED_FIFO, for all threads of the process; 0: as any other", low=0, high=98)
    cores: str = setting("", "processor cores to keep to, as for taskset -c: '1' or '0,2-3'; empty: any")
    lock_memory: bool = setting(False, "no page that was touched once is ever paged out")

    def __post_init__(self):
        cores_of(self.cores)


@dataclass(frozen=True)
class BridgeConfig(Shared):
    """The simulated robot."""

    noise: bool = setting(True, "add the robot file's sensor noise")
    latency: float = setting(0.0, "s from a command to its effect in the joints", low=0.0, high=0.5)
    clock: bool = setting(True, "publish /clock (one bridge a graph)")
    stand_up_after: float = setting(2.0, "s after a fall until the robot is stood up; 0: never", low=0.0)
    faults: str = setting("", "faults to inject, as listed in docs/safety.md; empty: none", live=True)
    realtime: RealtimeConfig = section(RealtimeConfig)


@dataclass(frozen=True)
class CostConfig:
    """What a plan costs beside the task's reward, in decision variables."""

    smoothness: float = setting(0.5, "of the squared change between steps", low=0.0)
    prior: float = setting(0.02, "of the squared distance to the prior", low=0.0)


@dataclass(frozen=True)
class BoundsConfig:
    """What leaving the task's bounds of the state costs a plan: a weight that adapts."""

    least: float = setting(1.0, "the weight while nothing leaves them; above 0, since growth multiplies it", low=0.0)
    most: float = setting(1000.0, "the weight at most", low=0.0)
    growth: float = setting(1.3, "times the weight, a step with a violation, executed or planned", low=1.0, high=10.0)
    decay: float = setting(0.98, "times the weight, a step without", low=0.0, high=1.0)

    def __post_init__(self):
        if not self.least <= self.most:
            raise ConfigError(f"least {self.least:g}: expected at most `most`, {self.most:g}")
        if self.least == 0 < self.most:
            raise ConfigError(f"least 0 never grows: expected above 0, or most 0, too, in place of {self.most:g}")


@dataclass(frozen=True)
class ExploreConfig:
    """What mode explore does. Correlated random motion, from which a robot that knows nothing learns first, and then
    plans for what a model makes worth seeing."""

    by: str = setting(
        "random",
        "once there is a model: random motion still, plans for what its members disagree about, or for places rarely "
        "visited",
        choices=EXPLORERS,
    )
    cell: float = setting(0.5, "size of the places that counts tells apart, times the features' scales", low=0.001)
    noise: float = setting(0.7, "times the action map's own exploration scale", low=0.0)
    knot_steps: int = setting(12, "steps between knots of the random motion", low=1)
    while_learning: float = setting(0.02, "noise added to plans while the learner runs", low=0.0, high=1.0, live=True)


@dataclass(frozen=True)
class TrustConfig:
    """What the ensemble's doubt, 0..1 by held-out data, does to the commanded speed."""

    enabled: bool = setting(True, "let it slow the robot down, and stop it", live=True)
    limit_from: float = setting(0.5, "doubt from which the speed is limited and data marked", 0.0, 1.0, live=True)
    limit_to: float = setting(0.9, "doubt from which only `least` is left", low=0.0, high=1.0, live=True)
    least: float = setting(0.3, "share of the commanded speed", low=0.0, high=1.0, live=True)
    stop_above: float = setting(0.95, "doubt above which the robot stands, after a while", 0.0, 1.0, live=True)
    stop_after: float = setting(0.3, "s of such doubt until then", low=0.0, live=True)
    resume_below: float = setting(0.5, "doubt below which it goes on, after a while", low=0.0, high=1.0, live=True)
    resume_after: float = setting(1.0, "s of so little doubt until then", low=0.0, live=True)

    def __post_init__(self):
        if not self.limit_from < self.limit_to:
            raise ConfigError(f"limit_from {self.limit_from:g}: expected less than limit_to, {self.limit_to:g}")
        if not self.resume_below <= self.stop_above:
            raise ConfigError(f"resume_below {self.resume_below:g}: expected at most stop_above, {self.stop_above:g}")


@dataclass(frozen=True)
class TrimConfig:
    """What is added to a commanded velocity where the robot does not reach it: a slow sum of what it lacked."""

    seconds: float = setting(
        2.0,
        "s in which a lack of the commanded velocity is made up for; 0: never; nothing in tasks with a goal",
        low=0.0,
        high=60.0,
        live=True,
    )
    limit: float = setting(
        0.05,
        "m/s and rad/s that are added at most, and never more than a quarter of the command",
        low=0.0,
        high=0.2,
        live=True,
    )


@dataclass(frozen=True)
class PlannerConfig(Shared):
    """State in, plan out."""

    mode: str = setting("mppi", "what to do", choices=MODES, live=True)
    model: str = setting("pretrained", "pretrained, scratch, or a folder with model.safetensors")
    policy: str = setting("", "file of a policy; empty: policy.onnx beside the model, if there is one")
    learning: bool = setting(True, "a learner runs beside: explore when there is no model, and a little always")
    action_map: str = setting("gait", "how decisions become joint targets", choices=ACTION_MAP_NAMES)
    planner: str = setting(
        "mppi", "what finds plans; prior: the action map's own motion, unplanned", choices=tuple(PLANNERS)
    )
    replan_every: int = setting(
        1, "steps that a plan is followed before the next; the horizon: open loop", low=1, high=200, live=True
    )
    delay: int = setting(1, "steps between a state and the first action planned from it", low=0, high=5)
    latency: float = setting(
        0.0, "s from a command to its effect in the joints, which is planned over", low=0.0, high=0.5
    )
    estimate_latency: bool = setting(False, "find the latency in the data")
    treatment: str = setting("expectation", "of the members' disagreement", choices=TREATMENTS)
    pessimism: float = setting(
        1.0, "standard deviations between members off the returns; with optimism, on top", low=0.0, high=100.0
    )
    cvar: float = setting(0.4, "share of the members, the worst of which count in cvar", low=0.01, high=1.0)
    filter: bool = setting(True, "merge each measured state with the model's prediction of it")
    speed_limit: float = setting(1.0, "m/s, a longer commanded velocity is scaled down", low=0.0, high=5.0, live=True)
    yaw_rate_limit: float = setting(1.0, "rad/s", low=0.0, high=10.0, live=True)
    acceleration_limit: float = setting(
        2.0, "m/s^2, with which a commanded velocity is approached", low=0.1, high=100.0, live=True
    )
    yaw_acceleration_limit: float = setting(4.0, "rad/s^2, likewise", low=0.1, high=100.0, live=True)
    command_timeout: float = setting(0.5, "s, an older cmd_vel counts as zero", low=0.0)
    stamped_command: bool = setting(False, "cmd_vel is a TwistStamped")
    train_every: int = setting(25, "in lockstep, steps between two calls of the learner", low=1)
    precision: str = setting("auto", "of rollouts; auto: bf16 where the processor is made for it", choices=PRECISIONS)
    threads: int = setting(1, "threads that plan", low=1, high=64)
    device: str = setting(
        "cpu",
        "where candidates of planner mppi are scored; cuda: on the GPU, as one recorded graph (not tried on one yet)",
        choices=("cpu", "cuda"),
    )
    mppi: MppiConfig = section(MppiConfig)
    shooting: ShootingConfig = section(ShootingConfig)
    cem: CemConfig = section(CemConfig)
    icem: IcemConfig = section(IcemConfig)
    gradient: GradientConfig = section(GradientConfig)
    mcts: MctsConfig = section(MctsConfig)
    cost: CostConfig = section(CostConfig)
    bounds: BoundsConfig = section(BoundsConfig)
    explore: ExploreConfig = section(ExploreConfig)
    trust: TrustConfig = section(TrustConfig)
    trim: TrimConfig = section(TrimConfig)
    realtime: RealtimeConfig = section(RealtimeConfig)

    def __post_init__(self):
        if self.replan_every > self.search.horizon:
            raise ConfigError(
                f"replan_every {self.replan_every}: at most planner.{self.searching}.horizon, {self.search.horizon}: "
                "there a plan ends, and its last decision would be held"
            )
        if self.device != "cpu" and self.planner != "mppi":
            raise ConfigError(
                f"device {self.device}: planner {self.planner} plans on the processor; take planner mppi, or device cpu"
            )

    @property
    def searching(self) -> str:
        """Name of the section that the planner reads; one that has none of its own reads that of mppi."""
        return self.planner if hasattr(self, self.planner) else "mppi"

    @property
    def search(self) -> SearchConfig:
        """Settings of the planner that was chosen."""
        return getattr(self, self.searching)

    @property
    def guided(self) -> tuple[str, ...]:
        """The settings by which plans listen to a policy."""
        return tuple(f"planner.{self.searching}.{name}" for name in self.search.guided)


@dataclass(frozen=True)
class LearnerConfig(Shared):
    """Transitions in, model versions out."""

    model: str = setting("pretrained", "pretrained, scratch, or a folder with model.safetensors")
    kind: str = setting("ensemble", "kind of model that is learned", choices=tuple(MODELS))
    kind_settings: str = setting(
        "", "settings of another kind than ensemble, beside width and layers: 'particles=10, steps=4'; empty: its own"
    )
    folder: str = setting(
        "", "for promoted versions and parameters.yaml; empty: a new one a start, in runs/ below the working folder"
    )
    keepsake: bool = setting(True, "begin with what the model has learned from, where that lies beside it")
    capacity: int = setting(200_000, "transitions in the replay buffer", low=1000)
    first_seconds: float = setting(10.0, "of data before the first training", low=0.1)
    first_steps: int = setting(
        2000, "training steps on the first data; of another kind than ensemble, in every round", low=1
    )
    every_seconds: float = setting(2.5, "of data between later trainings, at least", low=0.1)
    steps: int = setting(200, "training steps each time, of kind ensemble", low=1)
    tolerance: float = setting(
        1.05, "a candidate is promoted up to this ratio of the incumbent's held-out error", low=0.1
    )
    calibration_tolerance: float = setting(
        1.5, "likewise of errors over what members say of them; any, for an error so much less", low=1.0
    )
    threads: int = setting(1, "torch threads", low=1, high=64)
    duty: float = setting(0.6, "share of a core's time to train in at most; cores share caches", low=0.05, high=1.0)
    nice: int = setting(10, "priority of the learner's process; higher gives way more", low=0, high=19)
    cores: str = setting("", "processor cores to keep to, as for taskset -c: '1' or '0,2-3'; empty: any")
    ensemble: EnsembleConfig = section(EnsembleConfig)
    train: TrainConfig = section(TrainConfig)
    practice: PracticeConfig = section(PracticeConfig)
    journal: JournalConfig = section(JournalConfig)
    distill: DistillConfig = section(DistillConfig)

    def __post_init__(self):
        cores_of(self.cores)


@dataclass(frozen=True)
class GuardConfig(Shared):
    """The last instance before the robot."""

    max_age: float = setting(0.06, "s, an older plan or state is not followed", low=0.001, high=10.0)
    blend: float = setting(0.3, "s from the last target to stance", low=0.0, high=60.0)
    stance_hold: float = setting(10.0, "s in stance without plans before sitting down", low=0.0, high=86_400.0)
    sit_time: float = setting(2.0, "s from stance to sit", low=0.01, high=60.0)
    max_rate: float = setting(
        200.0, "Hz, commands sent at most on states; and likewise on plans that hold at once", low=1.0, high=10_000.0
    )
    hardware: bool = setting(False, "the robot is real: reset events release nothing")
    realtime: RealtimeConfig = section(RealtimeConfig)
