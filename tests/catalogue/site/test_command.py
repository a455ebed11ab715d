import json

from typer.testing import CliRunner

from histoscribe.cli import app


def test_the_command_writes_a_site_and_says_where_it_starts(tmp_path):
    done = CliRunner().invoke(app(), ["papers", "site", "--out", str(tmp_path / "site"), "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["start"] == str(tmp_path / "site/index.html")
    assert (tmp_path / "site/index.html").is_file()
    assert summary["files"] + 1 == sum(p.is_file() for p in (tmp_path / "site").rglob("*"))
