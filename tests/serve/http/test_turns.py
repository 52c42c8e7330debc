"""Decisions take turns, away from the event loop, and only so many wait."""

import asyncio
import threading
import time

import pytest

from bwalloc.serve.http.problems import Problem
from bwalloc.serve.http.turns import Turns


def test_one_at_a_time_and_in_order():
    done, running, most = [], 0, 0

    def work(number):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.005)
        done.append(number)
        running -= 1

    async def all_at_once():
        turns = Turns(10)
        await asyncio.gather(*(turns.take(lambda n=n: work(n)) for n in range(8)))
        turns.close()

    asyncio.run(all_at_once())

    assert list(range(8)) == done
    assert 1 == most


def test_the_loop_goes_on_while_one_decides():
    async def watch():
        turns, released = Turns(1), threading.Event()
        running = asyncio.create_task(turns.take(lambda: released.wait(5)))
        ticks = 0
        for _ in range(20):
            await asyncio.sleep(0.001)
            ticks += 1
        is_running = not running.done()
        released.set()
        await running
        turns.close()
        return is_running, ticks

    assert (True, 20) == asyncio.run(watch())


def test_beyond_the_bound_is_refused_with_a_time_to_come_back():
    async def crowd():
        turns, released = Turns(2), threading.Event()
        waiting = [asyncio.create_task(turns.take(lambda: released.wait(5))) for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(Problem) as early:
            turns.check_room()
        with pytest.raises(Problem) as late:
            await turns.take(lambda: released.wait(5))
        released.set()
        await asyncio.gather(*waiting)
        turns.check_room()
        turns.close()
        return early.value, late.value

    for refusal in asyncio.run(crowd()):
        assert 503 == refusal.status_code
        assert {"Retry-After": "1"} == refusal.headers


def test_a_caller_that_left_keeps_its_place_until_its_turn_is_over():
    async def leave():
        turns, released = Turns(0), threading.Event()
        gone = asyncio.create_task(turns.take(lambda: released.wait(5)))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0.01)
        with pytest.raises(Problem):
            turns.check_room()
        released.set()
        while turns.taken:
            await asyncio.sleep(0.001)
        turns.close()

    asyncio.run(leave())


def test_a_failure_is_that_of_its_caller_alone():
    def fail():
        raise KeyError

    async def both():
        turns = Turns(5)
        answers = await asyncio.gather(
            turns.take(fail), turns.take(lambda: "well"), return_exceptions=True
        )
        turns.close()
        return answers

    failed, well = asyncio.run(both())

    assert isinstance(failed, KeyError)
    assert "well" == well
