"""Virtual time: the order of things is that of their times, also for a process that was stopped."""

from __future__ import annotations

from tests.simulation.engine import Engine, Host, Process


def test_nothing_overtakes_what_has_gathered_while_a_process_was_stopped() -> None:
    engine = Engine(1)
    process, heard = Process(engine, Host(engine, "here")), list[int]()
    engine.at(10, None, process.hang)
    engine.at(30, None, process.resume)
    for time in (20, 25):
        engine.at(time, process, heard.append, time)
    engine.at(29, None, lambda: engine.at(30, process, heard.append, 30))
    while engine.step():
        pass
    assert heard == [20, 25, 30]


def test_a_process_that_is_stopped_again_keeps_what_is_left_in_order() -> None:
    engine = Engine(1)
    process, heard = Process(engine, Host(engine, "here")), list[int]()

    def hear(number: int) -> None:
        heard.append(number)
        if number == 1:
            process.hang()
            engine.at(engine.now + 5, None, process.resume)

    process.hang()
    for number in (1, 2, 3):
        engine.at(number, process, hear, number)
    engine.at(4, None, process.resume)
    engine.at(6, process, hear, 4)
    while engine.step():
        pass
    assert heard == [1, 2, 3, 4]


def test_a_process_that_dies_while_it_is_stopped_does_nothing_more() -> None:
    engine = Engine(1)
    process, heard = Process(engine, Host(engine, "here")), list[int]()
    process.hang()
    engine.at(1, process, heard.append, 1)
    engine.at(2, None, process.die, "killed")
    engine.at(3, None, process.resume)
    while engine.step():
        pass
    assert heard == []
