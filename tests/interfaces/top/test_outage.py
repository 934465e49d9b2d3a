"""An outage of the store is told, and passes by itself."""

from pathlib import Path

import telic
from tests.interfaces.top.screen import running
from tests.support.postgres_server import PostgresServer


async def test_a_server_that_goes_away_and_comes_back(own_server: PostgresServer) -> None:
    """The last that was seen stays, the last line says what is wrong, and what came meanwhile appears after it."""
    place = own_server.url()
    with telic.connect(place) as store:
        store.create("move billing")
    async with running(place) as top:
        await top.shows("move billing")
        own_server.stop()
        await top.until(lambda text: "the store does not answer" in text, seconds=240)
        assert "move billing" in top.text
        assert "secret-word" not in top.text
        own_server.start()
        await top.until(lambda text: "the store does not answer" not in text, seconds=240)
        with telic.connect(place) as store:
            store.create("a second one", scope="other")
        await top.until(lambda text: "a second one" in text, seconds=240)


def move_away(folder: Path) -> None:
    for file in folder.glob("goals.db*"):
        file.rename(folder / file.name.replace("goals", "former"))


async def test_a_file_that_is_replaced(tmp_path: Path) -> None:
    """A write finds that the file is another one; nothing is done, and from then on that one is shown."""
    place = tmp_path / "goals.db"
    with telic.connect(place) as store:
        goal = store.create("move billing")
    async with running(str(place), operator="ada") as top:
        await top.shows("move billing")
        move_away(tmp_path)
        with telic.connect(place) as store:
            store.create("from a backup")
        await top.press("p")
        await top.shows("Pause")
        await top.press("enter")
        await top.shows("from a backup")
        assert "move billing" not in top.text
    with telic.connect(tmp_path / "former.db") as store:
        assert store.get(goal.id).status == "active"
