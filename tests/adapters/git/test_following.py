"""A repository that changes under a source: branches, tags, and who asks how often."""

import pytest

from adapters.git.worlds import Watching, World, again, texts, wait_for
from gitservers import HttpServer, Repository
from herdsman.adapters.git import DEFAULT_BRANCH, Ref, reference
from herdsman.errors import SourceError


def fetches(server: HttpServer) -> int:
    """How often objects were asked for: a listing of references asks for none."""
    return sum(r.fetch for r in server.requests)


def test_the_default_branch(world: World) -> None:
    """Where nothing is named, the remote's own choice is followed."""
    world.repository(branch="trunk").commit({"a.yaml": "a"}, branch="trunk")

    snapshot = world.source(ref=DEFAULT_BRANCH).snapshot()

    assert (texts(snapshot), snapshot.branch) == ({"a.yaml": "a"}, "trunk")


@pytest.mark.parametrize(
    "ref",
    [reference(branch="main"), reference(branch="refs/pull/7/head"), reference(tag="1.x"), reference(tag="v1.0.0")],
)
def test_no_news_is_no_fetch(ref: Ref, world: World, fleet: Repository) -> None:
    """A look at the remote that shows what is there already fetches nothing and reads nothing."""
    fleet.git("update-ref", "refs/pull/7/head", "main")
    fleet.git("tag", "v1.0.0", "main")
    server = world.serve()
    source = world.source(server.url("fleet.git"), ref=ref)
    before = source.snapshot()
    world.clock.advance(100)

    assert fetches(server) == 1
    assert source.snapshot() is before
    assert (source.state().looks, source.state().fetches, fetches(server)) == (2, 1, 1)


def test_nobody_is_asked_before_it_is_time(world: World, fleet: Repository) -> None:
    """Between two looks, snapshots cost the remote nothing; news is found when the interval is over."""
    server = world.serve()
    source = world.source(server.url("fleet.git"), interval=60)
    source.snapshot()
    asked = len(server.requests)
    fleet.commit({"a.yaml": "new"})
    for _ in range(5):
        world.clock.advance(10)
        assert texts(source.snapshot()) == {"a.yaml": "a"}

    assert len(server.requests) == asked
    world.clock.advance(17)
    assert texts(source.snapshot()) == {"a.yaml": "new"}


def test_looks_are_spread(world: World, fleet: Repository) -> None:
    """Many operators that were started together do not ask together for ever."""
    times = set()
    for _ in range(8):
        source = world.source(interval=1000)
        source.snapshot()
        waited = 0
        while source.state().looks == 1:
            world.clock.advance(10)
            waited += 10
            source.snapshot()
        times.add(waited)

    assert min(times) >= 900
    assert max(times) <= 1110
    assert len(times) > 1


def test_a_poke_gets_what_is_new_in_one_exchange(world: World, fleet: Repository) -> None:
    """Who is told that there is news does not ask whether there is."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    source.snapshot()
    looks = source.state().looks
    fleet.commit({"a.yaml": "new"})

    assert texts(again(source)) == {"a.yaml": "new"}
    assert source.state().looks == looks


def test_a_poke_for_nothing(world: World, fleet: Repository) -> None:
    """It changes nothing."""
    source = world.source()
    before = source.snapshot()

    assert again(source) is before


def test_two_commits_in_a_second(world: World, fleet: Repository) -> None:
    """The newer wins, whatever their times say."""
    source = world.source()
    source.snapshot()
    fleet.commit({"a.yaml": "one"}, at=1_700_000_100)
    newer = fleet.commit({"a.yaml": "two"}, at=1_700_000_100)
    snapshot = again(source)

    assert (snapshot.revision, texts(snapshot)) == (newer, {"a.yaml": "two"})


def test_a_push_between_the_look_and_the_fetch(world: World, fleet: Repository) -> None:
    """What is fetched is delivered, though another commit was seen a moment before."""
    server = world.serve()
    source = world.source(server.url("fleet.git"))
    source.snapshot()
    fleet.commit({"a.yaml": "one"})
    server.after_list = lambda: fleet.commit({"a.yaml": "two"})
    world.clock.advance(100)
    snapshot = source.snapshot()

    assert (snapshot.revision, texts(snapshot)) == (fleet.head(), {"a.yaml": "two"})
    world.clock.advance(100)
    assert source.snapshot() is snapshot


def test_a_force_push(world: World, fleet: Repository) -> None:
    """History that was rewritten, or replaced by another, is a commit like any other."""
    source = world.source()
    source.snapshot()
    fleet.commit({"b.yaml": "b"}, orphan=True)

    assert texts(again(source)) == {"b.yaml": "b"}


def test_a_force_push_back(world: World, fleet: Repository) -> None:
    """An older commit that is pushed again is the truth again."""
    old = fleet.head()
    source = world.source()
    fleet.commit({"a.yaml": "new"})
    source.snapshot()
    fleet.git("update-ref", "refs/heads/main", old)

    assert again(source).revision == old


def test_a_branch_deleted_and_recreated(world: World, fleet: Repository) -> None:
    """While it is gone it is an error with words; what was wanted stays. When it is back, it is followed."""
    source = world.source()
    source.snapshot()
    fleet.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(SourceError):
        again(source)
    world.clock.advance(100)
    with pytest.raises(SourceError, match="the remote has no branch main"):
        source.snapshot()
    fleet.commit({"c.yaml": "c"})
    world.clock.advance(100)

    assert texts(source.snapshot()) == {"c.yaml": "c"}


def test_a_branch_becomes_a_directory_of_branches(world: World, fleet: Repository) -> None:
    """`main` removed and `main/two` made in its place confuses no mirror."""
    source = world.source()
    source.snapshot()
    fleet.git("update-ref", "-d", "refs/heads/main")
    fleet.commit({"d.yaml": "d"}, branch="main/two")
    other = world.source(ref=reference(branch="main/two"))

    with pytest.raises(SourceError):
        again(source)
    assert texts(other.snapshot()) == {"d.yaml": "d"}


def test_a_tag_that_is_moved(world: World, fleet: Repository) -> None:
    """Tags may move, with or without a message; the commit behind them is delivered under their name."""
    fleet.git("tag", "prod", "main")
    source = world.source(ref=reference(tag="prod"))
    assert source.snapshot().branch == "prod"
    newer = fleet.commit({"a.yaml": "new"})
    fleet.git("-c", "user.name=x", "-c", "user.email=x", "tag", "-f", "-a", "-m", "moved", "prod", "main")

    assert again(source).revision == newer


def test_the_newest_version(world: World, fleet: Repository) -> None:
    """A range follows the greatest tag within it, back too when that is withdrawn."""
    source = world.source(ref=reference(semver="1.x"))
    fleet.git("tag", "v1.9.0", "main")
    assert source.snapshot().branch == "v1.9.0"
    fleet.commit({"a.yaml": "ten"})
    fleet.git("tag", "v1.10.0", "main")
    fleet.git("tag", "v2.0.0", "main")
    assert (again(source).branch, texts(source.snapshot())) == ("v1.10.0", {"a.yaml": "ten"})
    fleet.git("tag", "-d", "v1.10.0")

    assert (again(source).branch, texts(source.snapshot())) == ("v1.9.0", {"a.yaml": "a"})


def test_a_pinned_commit(world: World, fleet: Repository) -> None:
    """It is fetched once, though no branch leads there any more; after that nobody is asked again."""
    pinned = fleet.head()
    fleet.commit({"a.yaml": "new"}, orphan=True)
    server = world.serve()
    source = world.source(server.url("fleet.git"), ref=reference(commit=pinned))
    snapshot = source.snapshot()
    asked = len(server.requests)
    world.clock.advance(1000)

    assert (snapshot.revision, texts(snapshot), snapshot.branch) == (pinned, {"a.yaml": "a"}, "")
    assert again(source) is snapshot
    assert len(server.requests) == asked


def test_a_commit_that_is_not_there(world: World, fleet: Repository) -> None:
    """It is an error that says so."""
    with pytest.raises(SourceError, match="does not have, or does not hand out"):
        world.source(ref=reference(commit="1" * 40)).snapshot()


def test_a_tag_that_leads_to_no_commit(world: World, fleet: Repository) -> None:
    """A tag may name a file; that is nothing to apply."""
    fleet.git("tag", "odd", "main:a.yaml")

    with pytest.raises(SourceError, match="tag odd leads to a blob"):
        world.source(ref=reference(tag="odd")).snapshot()


def test_a_tag_on_a_tag(world: World, fleet: Repository) -> None:
    """It leads to the commit behind both."""
    person = ("-c", "user.name=x", "-c", "user.email=x")
    fleet.git(*person, "tag", "-a", "-m", "x", "inner", "main")
    fleet.git(*person, "tag", "-a", "-m", "x", "outer", "inner")

    assert world.source(ref=reference(tag="outer")).snapshot().revision == fleet.head()


def test_a_restart_fetches_nothing(world: World, fleet: Repository) -> None:
    """A mirror outlives the process: what is there already is not fetched again."""
    server = world.serve()
    world.source(server.url("fleet.git")).snapshot()
    before = fetches(server)

    assert texts(world.source(server.url("fleet.git")).snapshot()) == {"a.yaml": "a"}
    assert fetches(server) == before


def test_a_start_without_the_remote(world: World, fleet: Repository) -> None:
    """A mirror may be older than what was applied since by somebody else: it is not delivered unasked."""
    server = world.serve()
    url = server.url("fleet.git")
    world.source(url).snapshot()
    server.close()

    with pytest.raises(SourceError, match="cannot be reached"):
        world.source(url).snapshot()


def test_one_cache_for_several_sources(world: World, fleet: Repository) -> None:
    """Two branches of one repository, and two repositories, do not get in each other's way."""
    fleet.commit({"a.yaml": "dev"}, branch="dev")
    world.repository("other.git").commit({"a.yaml": "other"})
    sources = [
        world.source(), world.source(ref=reference(branch="dev")), world.source(str(world.repos / "other.git")),
    ]  # fmt: skip

    assert [texts(source.snapshot())["a.yaml"] for source in sources * 2] == ["a", "dev", "other"] * 2


def test_many_commits_do_not_pile_up(world: World, fleet: Repository) -> None:
    """The mirror is packed now and then, between two looks: thousands of commits leave no thousands of files."""
    source = world.source()

    def loose() -> int:
        return len(list(world.mirror().glob("objects/??/*")))

    def push(rounds: range) -> None:
        for n in rounds:
            fleet.commit({f"{i}.yaml": f"{n} {i}" for i in range(80)}, at=1_700_000_000)  # the same objects every time
            again(source)

    def look() -> None:
        looks = source.state().looks
        world.clock.advance(100)
        wait_for(lambda: source.state().looks > looks)

    with Watching(source):
        push(range(2))
        before = loose()
        look()
        assert loose() == before > 100
        push(range(2, 40))
        look()
        assert loose() < 100
        assert len(source.snapshot().files) == 81
        fleet.commit({"a.yaml": "after"})
        assert texts(again(source))["a.yaml"] == "after"
