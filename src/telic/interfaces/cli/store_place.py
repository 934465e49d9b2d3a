"""Where the store is if nobody says, and the folder that it needs."""

from pathlib import Path

from telic.domain.errors import StoreMisconfigured


def default_store() -> str:
    """The path of the file under the user's data folder; it may not be there.

    Raises:
        StoreMisconfigured: the user has no such folder.
    """
    from platformdirs import user_data_path

    try:
        folder = user_data_path("telic")
    except (OSError, KeyError, RuntimeError):
        folder = Path()
    if not folder.is_absolute():
        raise StoreMisconfigured("the default store has no place: HOME is not set, and the user has no home folder")
    return str(folder / "goals.db")


def make_folder_of(store: str) -> None:
    """The folder of a store that is to be made is there, for its owner only; a URL has none.

    Raises:
        StoreMisconfigured: it cannot be made.
    """
    if "://" in store:
        return
    folder = Path(store).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreMisconfigured(f"the store's folder {folder} cannot be made: {error.strerror}") from error
