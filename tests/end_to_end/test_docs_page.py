"""The docs page in a real browser that reaches no other host."""

from pathlib import Path

import pytest

from tests.chromium import open_page
from tests.guarded import Guarded

TASK_TYPES = ("sii.sync_documents", "sii.sync_documents_all", "sii.sync_f29", "sii.sync_f29_all")
SHOWN = "document.querySelectorAll('[data-path^=\"/api/celery/tasks/launch/sii\"]').length === 4"


@pytest.mark.timeout(120)
def test_the_docs_load_with_the_network_cut_off(gateway_url: str, tmp_path: Path) -> None:
    """Every task type is an operation on the rendered page, and the console has nothing to complain of."""
    with open_page(tmp_path) as page:
        page.call("Page.navigate", url=f"{gateway_url}/docs")
        page.wait_for(SHOWN)
        content = page.evaluate("document.documentElement.outerHTML")

        assert [] == page.complaints
        assert all(f'data-path="/api/celery/tasks/launch/{each}"' in content for each in TASK_TYPES)
        assert "Failed to load API definition" not in content


@pytest.mark.timeout(120)
def test_a_guarded_page_asks_for_a_key_and_sends_it(guarded: Guarded, tmp_path: Path) -> None:
    """Nothing is fetched before; the key shows what its caller may see, and is in no storage."""
    with open_page(tmp_path) as page:
        page.call("Page.navigate", url=f"{guarded.url}/docs")
        page.wait_for("document.readyState === 'complete' && document.forms.length === 1")
        page.evaluate(f"document.getElementById('key').elements.key.value = {guarded.keys['viewers']!r}")
        page.evaluate("document.querySelector('#key button').click()")
        page.wait_for("document.querySelectorAll('.opblock').length > 10")

        assert [] == page.complaints
        assert "" == page.evaluate("document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)")
        assert f"{guarded.url}/docs" == page.evaluate("location.href")
