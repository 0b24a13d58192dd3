"""The recipe of ``deploy/``: two servers behind Caddy, from the files that an operator copies."""

from __future__ import annotations

import asyncio
import re
import shutil
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headroles.paths import ROOT
from scripts.load_test import servers
from scripts.load_test.activities import ACTIVITIES, Question
from scripts.load_test.answers import Checker
from scripts.load_test.visitor import VisitError, Visitor
from tests.loops import apart

DEPLOY = ROOT / "deploy"
PORTS = ["8501", "8502"]


def settings(name: str) -> dict[str, str]:
    """The variables of an environment file."""
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[servers.Running]:
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not installed")
    with servers.running(tmp_path, servers=2) as running:
        yield running


@pytest.mark.caddy
@pytest.mark.slow
def test_a_visitor_stays_on_one_server_and_gets_the_next_one_when_it_dies(running):
    apart(_walk, running)


async def _walk(running: servers.Running) -> None:
    question = Question("prompt", "The dog saw a cat and the dog saw a bird", 0)
    checker = Checker("demo")
    visitor = Visitor(running.address, timeout=200)
    await visitor.open()
    home = await _with_a_visit(running)
    await ACTIVITIES["prompt"].ask(visitor, question)
    assert checker.fault(question, visitor.page()) == ""

    assert await asyncio.to_thread(_upload, visitor) == 204
    for _ in range(6):  # by chance alone it would be the same one time in 64
        await visitor.get("_stcore/health")
        assert visitor.served_by == home
        await visitor.close()
        assert await _with_a_visit(running, none=True) is None
        await visitor.connect()
        assert await _with_a_visit(running) == home
    strangers = set()
    while len(strangers) < 2:  # the others are spread over both
        stranger = Visitor(running.address)
        await stranger.get("")
        strangers.add(stranger.served_by)

    await visitor.rerun()
    psutil.Process(running.pids[_hosts(running).index(home)]).kill()
    with pytest.raises(VisitError):
        await visitor.rerun()
    await visitor.get("_stcore/health")  # what a browser asks before it connects again
    assert visitor.served_by in strangers - {home}
    await visitor.connect()
    await visitor.rerun()
    assert checker.fault(question, visitor.page()) == "", "the address restores the page"
    await visitor.close()


def _upload(visitor: Visitor) -> int:
    """The status of a file sent to the visit; a server that does not know it refuses."""
    mark = "end-of-part"
    body = (
        f'--{mark}\r\nContent-Disposition: form-data; name="a.txt"; filename="a.txt"\r\n\r\n'
        f"one two\r\n--{mark}--\r\n"
    )
    request = urllib.request.Request(
        f"{visitor.address}/_stcore/upload_file/{visitor.session}/{uuid.uuid4()}",
        data=body.encode(),
        method="PUT",
        headers={
            "Content-Type": f"multipart/form-data; boundary={mark}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()),
            "X-Xsrftoken": visitor.cookies["_streamlit_xsrf"],
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status


def _hosts(running: servers.Running) -> list[str]:
    return [address.removeprefix("http://") for address in running.addresses]


async def _with_a_visit(running: servers.Running, *, none: bool = False) -> str | None:
    """The only server with a visit, once there is one; with ``none``, once there is none."""
    async with asyncio.timeout(30):
        while True:
            visited = [host for host in _hosts(running) if await _visits(host)]
            assert len(visited) < 2
            if bool(visited) != none:
                return visited[0] if visited else None
            await asyncio.sleep(0.05)


async def _visits(host: str) -> int:
    text = (await Visitor(f"http://{host}").get("_stcore/metrics")).decode()
    return int(re.search(r"^active_sessions (\d+)", text, re.MULTILINE)[1])


@pytest.mark.caddy
@pytest.mark.slow
def test_the_proxy_sends_streamlits_files_compressed_without_asking_a_server(running):
    async def visit() -> None:
        through, direct = Visitor(running.address), Visitor(running.addresses[0])
        index = (await direct.get("")).decode()
        path = re.search(r'src="\./(static/js/index[^"]+)"', index)[1]
        await through.get("")
        through.served_by = ""
        small, large = await through.get(path), await direct.get(path)
        assert through.served_by == ""
        assert small[:2] == b"\x1f\x8b", "gzip"
        assert len(small) < len(large) / 2

    apart(visit)


def test_the_files_of_the_recipe_name_the_same_ports_and_variables():
    environment = settings("headroles.env")
    assert environment["HEADROLES_SERVERS"] == " ".join(f"127.0.0.1:{port}" for port in PORTS)
    target = (DEPLOY / "headroles.target").read_text()
    assert re.findall(r"headroles@(\d+)\.service", target) == PORTS
    caddyfile = (DEPLOY / "Caddyfile").read_text()
    read = set(re.findall(r"\{\$(\w+)", caddyfile))
    assert read <= set(environment)
    assert settings("8501.env") == {"HEADROLES_RUN_ANALYSES": "1"}
    service = (DEPLOY / "headroles@.service").read_text()
    assert "Environment=HEADROLES_RUN_ANALYSES=0" in service


def test_one_process_of_the_containers_runs_analyses_and_all_share_a_folder():
    yaml = pytest.importorskip("yaml")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    apps = {name: service for name, service in services.items() if name != "proxy"}
    analysts = [a for a in apps.values() if a["environment"]["HEADROLES_RUN_ANALYSES"] == "1"]
    assert len(analysts) == 1
    assert {tuple(service["volumes"]) for service in apps.values()} == {("data:/srv/data",)}
    upstreams = services["proxy"]["environment"]["HEADROLES_SERVERS"].split()
    assert upstreams == [f"{name}:8501" for name in apps]
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "--server.port=8501" in dockerfile
    stages = re.findall(r"^FROM \S+ AS (\w+)$", dockerfile, re.MULTILINE)
    assert {service["build"]["target"] for service in services.values()} == set(stages)
    python = re.search(r"FROM python:(\d\.\d+)", dockerfile)[1]
    assert f"/python{python}/site-packages/streamlit/static" in dockerfile
