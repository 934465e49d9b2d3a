"""What a package index is told of the project: README with links that work there, and where the repository is."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#|mailto:)([^)\s]+)\)")


def absolute_links(text: str, repository: str, revision: str) -> str:
    """The text with its relative links into the repository.

    Without an address they would lead nowhere: of a link its words stay, and of a picture nothing.
    """

    def absolute(link: re.Match[str]) -> str:
        if not repository:
            return "" if link[1] else link[2]
        kind = "raw" if link[1] else "tree" if link[3].endswith("/") else "blob"
        return f"{link[1]}[{link[2]}]({repository.rstrip('/')}/{kind}/{revision}/{link[3]})"

    return _LINK.sub(absolute, text)


class Hook(MetadataHookInterface):
    """Fills in `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """The metadata has both; the revision that links lead to is the version's tag."""
        repository = str(self.config.get("repository", ""))
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        readme = absolute_links(text, repository, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
        root = repository.rstrip("/")
        metadata["urls"] = (
            {"Source": root, "Changelog": f"{root}/blob/main/CHANGELOG.md", "Issues": f"{root}/issues"} if root else {}
        )
