import inspect

from bwalloc.gym import CloudEdgeEnv
from bwalloc.gym.page.episode import arguments_of


def test_every_argument_of_the_environment_is_documented():
    parameters = list(inspect.signature(CloudEdgeEnv.__init__).parameters)[1:]

    assert parameters == list(arguments_of(CloudEdgeEnv))


def test_a_meaning_may_go_on_in_the_next_line():
    def documented():
        """Do.

        Args:
            first: one
                and more.
            second (int): two.

        Raises:
            Nothing: ever.
        """

    assert {"first": "one and more.", "second": "two."} == arguments_of(documented)
