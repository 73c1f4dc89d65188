"""While a simulation is paused no age grows; a real robot cannot be paused."""

from gate_driver import QUICK, Driver

from mbrl_ros.safety import gate
from mbrl_ros.safety.gate import Request
from mbrl_ros.types import Action

AWAY = QUICK.stance + 0.3


def test_a_robot_whose_time_begins_again_is_no_longer_paused():
    driver = Driver().following(AWAY)
    driver.run(120, 300, AWAY)
    driver.ask(Request.PAUSE, 310)
    assert driver.memory.paused_at_ns is not None
    driver.step(0)
    assert driver.memory.paused_at_ns is None


def test_no_real_robot_can_be_paused():
    driver = Driver(simulation=False).following(AWAY)
    assert not driver.ask(Request.PAUSE, 100) and "simulation" in driver.message
    assert driver.run(120, 180).action == Action.HOLD, "plans grow old"
    assert driver.decide(800).action == Action.DAMP, "and so do states"


def test_no_age_grows_while_the_simulation_is_paused():
    driver = Driver().following(AWAY)
    driver.ask(Request.PAUSE, 110)
    assert gate.robot_time(driver.memory, driver.steady(60_000)) == driver.steady(110)
    driver.memory, decision = gate.decide(driver.memory, driver.steady(110), driver.steady(60_000))
    assert decision.command.action == Action.FOLLOW
    driver.ahead_ms = 60_000  # robot time stood still for a minute
    driver.ask(Request.RESUME, 110)
    assert driver.step(120, AWAY).action == Action.FOLLOW
    assert driver.run(140, 200, AWAY).action == Action.FOLLOW
    driver.run(220, 260)
    assert driver.step(280).action == Action.HOLD
