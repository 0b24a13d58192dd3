"""A visitor without a browser, who speaks Streamlit's websocket protocol as its page does (1.67).

>>> visitor = Visitor("http://127.0.0.1:8501")  # doctest: +SKIP
>>> await visitor.open()  # doctest: +SKIP
>>> visitor.fill("app-prompt_box", string_value="one two one two")  # doctest: +SKIP
>>> seconds = await visitor.press("app-run")  # doctest: +SKIP
>>> visitor.page().charts  # doctest: +SKIP

As little as possible is read while a server is measured: charts stay as the bytes that came.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

AT_ONCE = 6
"""Files that a browser fetches from one server at the same time."""
SETTLED = 0.03
"""Seconds without a further run after which a page counts as finished."""
REMEMBERED = 2
"""Whole runs of the script for which a browser remembers a large message."""

SIDEBAR = 1
"""Where the sidebar begins in the tree of elements."""

_EARLY = ForwardMsg.FINISHED_EARLY_FOR_RERUN
_ASSET = re.compile(rb'(?:src|href)="\./(static/[^"]+)"')


class VisitError(Exception):
    """The server refused, hung up or did not finish in time."""


class Chart(NamedTuple):
    """A chart, unread."""

    id: str
    """Ends in its key and the number of its mount; empty where a click does nothing."""
    alt: str
    """What it says to those who do not see it."""
    tables: tuple[bytes, ...]
    """Arrow streams."""


class Page(NamedTuple):
    """What stands on a page."""

    charts: tuple[Chart, ...]
    """From top to bottom."""
    texts: tuple[str, ...]
    """HTML and Markdown, from top to bottom."""
    notes: tuple[str, ...]
    """Boxes with an error, a warning or information."""
    exceptions: tuple[str, ...]
    """What the page shows of exceptions."""


class Visitor:
    """One visit.

    Args:
        address: ``http://127.0.0.1:<port>``, of a server or of a proxy before several.
        query: of the address, without the question mark.
        timeout: seconds until a run counts as failed.
    """

    def __init__(self, address: str, *, query: str = "", timeout: float = 120) -> None:
        self.address, self.query, self.timeout = address, query, timeout
        self.cookies: dict[str, str] = {}
        """What the proxy, or Streamlit, wants back with every request."""
        self.pages: dict[str, str] = {}
        """{the page's name in the address: its hash}"""
        self.session = ""
        """The server's name for this visit."""
        self.served_by = ""
        """Which of several servers sent the last file, where the proxy says so."""
        self._shown: dict[tuple[int, ...], object] = {}
        self._drawn: set[tuple[int, ...]] = set()
        self._fragments: dict[str, str] = {}
        self._widgets: dict[str, WidgetState] = {}
        self._messages: dict[str, tuple[ForwardMsg, int]] = {}
        self._timers: dict[str, asyncio.Task] = {}
        self._place, self._runs, self._whole_runs, self._finished_at = "", 0, 0, 0.0
        self._finished = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task | None = None

    async def open(self, *, files: bool = True) -> float:
        """Fetch the page with its files, connect, and wait for the first run; seconds.

        Raises:
            VisitError: if the server refuses or does not finish in time.
        """
        began = time.monotonic()
        index = await self.get("")
        if files:
            await self._fetch([path.decode() for path in _ASSET.findall(index)])
        for path in ("_stcore/health", "_stcore/host-config"):  # as the page's script does
            await self.get(path)
        await self.connect()
        await self._rerun()
        return self._finished_at - began

    async def connect(self) -> None:
        """Open the websocket, also again after it was lost. The next run begins a new session.

        Raises:
            VisitError: if the server refuses.
        """
        server = urlsplit(self.address)
        try:
            self._socket = await connect(
                f"ws://{server.netloc}/_stcore/stream",
                subprotocols=["streamlit"],
                origin=self.address,
                additional_headers=self._cookie_header(),
                compression=None,  # the server does not offer any
                max_size=None,
                open_timeout=self.timeout,
                ping_interval=None,
                close_timeout=2,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise VisitError(f"no connection: {type(error).__name__} {error}") from error
        self._messages.clear()
        self._reader = asyncio.create_task(self._read(self._socket))

    async def close(self) -> None:
        """Leave."""
        self._stop_timers()
        if self._socket is not None:
            with contextlib.suppress(OSError, WebSocketException):
                await self._socket.close()
        if self._reader is not None:
            await self._reader

    def page(self) -> Page:
        """What stands on the page now."""
        charts, texts, notes, exceptions = [], [], [], []
        for place in sorted(self._shown):
            element = self._shown[place]
            kind = element.WhichOneof("type")
            part = getattr(element, kind) if kind else None
            if kind == "vega_lite_chart":
                tables = [part.data.data, *(named.data.data for named in part.datasets)]
                charts.append(Chart(part.id, part.alt, tuple(table for table in tables if table)))
            elif kind in ("html", "markdown"):
                texts.append(part.body)
            elif kind == "alert":
                notes.append(part.body)
            elif kind == "exception":
                exceptions.append(f"{part.type}: {part.message}")
        return Page(tuple(charts), tuple(texts), tuple(notes), tuple(exceptions))

    def widget(self, key: str) -> str:
        """The id of the widget with that key on the page.

        Raises:
            VisitError: if there is none.
        """
        for element in self._shown.values():
            if (name := _widget_id(element)).endswith(f"-{key}"):
                return name
        raise VisitError(f"the page has no widget '{key}'")

    def fill(self, key: str, **value: object) -> None:
        """Set a widget without a run: ``string_value="…"``, ``string_array_value=["…"]``."""
        state = WidgetState(id=self.widget(key))
        for name, content in value.items():
            if isinstance(content, list):
                getattr(state, name).data.extend(content)
            else:
                setattr(state, name, content)
        self._widgets[state.id] = state

    async def press(self, key: str) -> float:
        """Press a button, and wait until the page has finished; seconds.

        Raises:
            VisitError: if there is no such button, or the server does not finish in time.
        """
        return await self._rerun(WidgetState(id=self.widget(key), trigger_value=True))

    async def change(self, key: str, **value: object) -> float:
        """Set a widget and let the page, or the part of it that the widget is in, run; seconds.

        Raises:
            VisitError: if there is no such widget, or the server does not finish in time.
        """
        self.fill(key, **value)
        return await self._rerun(fragment=self._fragments.get(self.widget(key), ""))

    async def rerun(self) -> float:
        """Run the page with what is filled in; seconds.

        Raises:
            VisitError: if the server does not finish in time.
        """
        return await self._rerun()

    async def turn_to(self, page: str) -> float:
        """Open another page by its name in the address; seconds.

        Raises:
            VisitError: if there is no such page, or the server does not finish in time.
        """
        if page not in self.pages:
            raise VisitError(f"there is no page '{page}'")
        self._place = self.pages[page]
        self._widgets = self._sidebar()
        return await self._rerun()

    def _sidebar(self) -> dict[str, WidgetState]:
        """What is chosen beside the page, which a browser brings along to another page."""
        parts = (part for place, part in self._shown.items() if place[0] == SIDEBAR)
        boxes = {part.selectbox.id for part in parts if part.WhichOneof("type") == "selectbox"}
        return {name: state for name, state in self._widgets.items() if name in boxes}

    def is_on(self, page: str) -> bool:
        """Whether that page is shown."""
        return self._place == self.pages.get(page)

    async def _rerun(self, *pressed: WidgetState, fragment: str = "") -> float:
        began = time.monotonic()
        self._finished.clear()
        try:
            async with asyncio.timeout(self.timeout):
                await self._send([*self._widgets.values(), *pressed], fragment=fragment)
                await self._settle()
        except TimeoutError:
            raise VisitError(f"not finished after {self.timeout:.0f} s") from None
        return self._finished_at - began

    async def _send(
        self, widgets: list[WidgetState], *, fragment: str = "", by_timer: bool = False
    ) -> None:
        message = BackMsg()
        request = message.rerun_script
        request.query_string, request.page_script_hash = self.query, self._place
        request.widget_states.widgets.extend(widgets)
        request.cached_message_hashes.extend(self._messages)
        request.fragment_id, request.is_auto_rerun = fragment, by_timer
        request.context_info.url = f"{self.address}/"
        request.context_info.timezone, request.context_info.locale = "UTC", "en"
        try:
            await self._socket.send(message.SerializeToString())
        except WebSocketException as error:
            raise VisitError(f"the connection is lost: {error}") from error

    async def _settle(self) -> None:
        """Until the script has finished, with no run after it and no timer that starts one."""
        while True:
            await self._finished.wait()
            if self._reader.done():
                self._reader.result()  # raises where a message could not be read
                raise VisitError(f"the server closed the connection ({self._socket.close_code})")
            runs = self._runs
            await asyncio.sleep(SETTLED)
            if runs == self._runs and self._finished.is_set() and not self._timers:
                return

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for raw in socket:
                self._take(ForwardMsg.FromString(raw))
        except WebSocketException:
            pass  # whoever waits is told by _settle
        finally:
            self._stop_timers()
            asyncio.get_running_loop().call_soon(self._finished.set)

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            kept, _ = self._messages[message.ref_hash]
            self._messages[message.ref_hash] = kept, self._whole_runs
            self._draw(kept, message.metadata.delta_path)
            return
        if kind == "delta":
            self._draw(message, message.metadata.delta_path)
            if message.metadata.cacheable:
                self._messages[message.hash] = message, self._whole_runs
        elif kind == "new_session":
            self._begin(is_fragment=bool(message.metadata.run.fragment_ids))
            self._place = message.new_session.page_script_hash
            self.session = message.new_session.initialize.session_id
        elif kind == "navigation":
            pages = message.navigation.app_pages
            self.pages = {page.url_pathname: page.page_script_hash for page in pages}
            self._place = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._stop_timers(*message.stop_auto_rerun.fragment_ids)
        elif kind == "script_finished":
            self._finish(message.script_finished)

    def _draw(self, message: ForwardMsg, path: object) -> None:
        place, delta = tuple(path), message.delta
        kind = delta.WhichOneof("type")
        if kind in ("new_element", "add_block"):
            part = self._shown[place] = getattr(delta, kind)
            self._drawn.add(place)
            if name := _widget_id(part):
                self._fragments[name] = delta.fragment_id
            if part.WhichOneof("type") == "selectbox" and part.selectbox.set_value:
                box = part.selectbox  # the server chose
                self._widgets[box.id] = WidgetState(id=box.id, string_value=box.raw_value)

    def _begin(self, *, is_fragment: bool) -> None:
        self._runs += 1
        self._finished.clear()
        if not is_fragment:
            self._drawn = set()
            self._stop_timers()

    def _finish(self, status: int) -> None:
        if status == _EARLY:
            return
        if status == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._shown = {
                place: part for place, part in self._shown.items() if place in self._drawn
            }
            self._whole_runs += 1
            oldest = self._whole_runs - REMEMBERED
            self._messages = {h: kept for h, kept in self._messages.items() if kept[1] >= oldest}
        self._finished_at = time.monotonic()
        self._finished.set()

    def _start_timer(self, fragment: str, interval: float) -> None:
        async def repeat() -> None:
            with contextlib.suppress(VisitError):
                while True:
                    await asyncio.sleep(interval)
                    widgets = list(self._widgets.values())
                    await self._send(widgets, fragment=fragment, by_timer=True)

        self._stop_timers(fragment)
        self._timers[fragment] = asyncio.create_task(repeat())

    def _stop_timers(self, *fragments: str) -> None:
        for fragment in fragments or list(self._timers):
            if timer := self._timers.pop(fragment, None):
                timer.cancel()

    async def _fetch(self, paths: list[str]) -> None:
        waiting = iter(dict.fromkeys(paths))

        async def fetch() -> None:
            for path in waiting:
                await self.get(path)

        await asyncio.gather(*(fetch() for _ in range(AT_ONCE)))

    async def get(self, path: str) -> bytes:
        """The body of a file, as it travels; cookies that come with it are kept.

        Raises:
            VisitError: if the server does not send it.
        """
        server = urlsplit(self.address)
        lines = [f"GET /{path} HTTP/1.0", f"Host: {server.netloc}"]
        if path.startswith("static/"):  # what is read here comes as it is
            lines.append("Accept-Encoding: gzip")
        lines += [f"{name}: {value}" for name, value in self._cookie_header().items()]
        try:
            async with asyncio.timeout(self.timeout):
                reader, writer = await asyncio.open_connection(server.hostname, server.port)
                writer.write("\r\n".join([*lines, "", ""]).encode())
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError) as error:
            raise VisitError(f"no answer: {type(error).__name__}") from error
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *headers = head.decode("latin-1").split("\r\n")
        if " 200" not in status:
            raise VisitError(f"/{path}: {status}")
        for header in headers:
            name, _, value = header.partition(":")
            if name.lower() == "x-served-by":
                self.served_by = value.strip()
            elif name.lower() == "set-cookie":
                cookie, _, content = value.split(";")[0].strip().partition("=")
                self.cookies[cookie] = content
        return body

    def _cookie_header(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies} if cookies else {}


def _widget_id(element: object) -> str:
    """The id of an element or a block; empty where it has none."""
    kind = element.WhichOneof("type")
    name = getattr(getattr(element, kind), "id", "") if kind else ""
    return name if isinstance(name, str) else ""
