"""The digest seeds the worlds of an environment and names its plans: it moves when they must."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from bwalloc.scenario import load_scenario, load_template
from bwalloc.scenario.digest import digest_of
from bwalloc.scenario.fields import LATER, Section
from bwalloc.scenario.schema import EnvFile

PUBLISHED = {
    "tiny-edge": "2e467cb83575b9a0b29eba732c4270077baf7b70e00e7d37a5781d5b8eab383f",
    "metro-inference": "b0604c4a4197212c98428b3ef1901388bd0fbb420888f2afe5f2c669da5d6fbf",
    "enterprise-naas": "c8791d2c1604705c6d26d0ff9a7f231c38db49d8c5a536f56d9db903c1ab0030",
    "random-edge": "02793fc31edec9421f25f2070b7078a8af68c2424cc3aaab1cb22fc84b36f164",
    "national-mixed": "dc3e5baceefcb49d84318214e345a4cb108ff58c6859445e2b9752d15a8e137c",
    "geo-training": "110d3574bf38f7f824c5f47d9ee65018a8867f60ee3d69bcff0e6666d50fe352",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_environments_keep_their_digest(name):
    assert PUBLISHED[name] == load_scenario(name).digest


def test_published_laws_keep_the_networks_and_worlds_they_draw():
    template = load_template("random-edge")

    assert 0xC157A41332AA0A40 == template.entropy
    assert template.scenario("test", 1).digest.startswith("c6f07f9559d64b8d")


class Inner(Section):
    old: int = 1
    new: Annotated[int, LATER] = 2


class Later(EnvFile):
    inner: Annotated[Inner, LATER] = Inner()
    listed: Annotated[list[Inner], LATER] = Field(default_factory=list)
    named: Annotated[dict[str, Inner], LATER] = Field(default_factory=dict)


def digest(**more):
    plain = load_template("tiny-edge").env.model_dump(by_alias=True)
    return digest_of(Later.model_validate({**plain, **more}), Path("tiny-edge.toml"))


def test_fields_added_later_count_only_where_they_say_something():
    assert PUBLISHED["tiny-edge"] == digest()
    assert PUBLISHED["tiny-edge"] == digest(inner={"old": 1, "new": 2})
    assert PUBLISHED["tiny-edge"] != digest(inner={"new": 3})
    assert PUBLISHED["tiny-edge"] != digest(listed=[{}])


def test_a_later_field_at_its_default_does_not_count_inside_a_section_that_does():
    for key, wrapped in (("listed", lambda x: [x]), ("named", lambda x: {"one": x})):
        once = digest(**{key: wrapped({"old": 5})})

        assert once == digest(**{key: wrapped({"old": 5, "new": 2})})
        assert once != digest(**{key: wrapped({"old": 5, "new": 3})})
