"""The parts of a gateway, joined as the settings say: connections, backends, what runs beside the requests.

What comes in: the settings. What goes out: parts, of which nothing is connected yet; `runs` and `closing` say what has to be
started and what stopped with the process.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from redis.asyncio import Redis

from gateway.backends.changes.feed_follower import FeedFollower
from gateway.backends.changes.follower import Follower
from gateway.backends.changes.hub import ChangeHub, RedisSource, Source
from gateway.backends.changes.polling import PollingSource
from gateway.backends.depths import Depths
from gateway.backends.kombu.app import make_app
from gateway.backends.kombu.depths import KombuDepths
from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.kombu.sender import KombuSender
from gateway.backends.kombu.workers import CeleryWorkers
from gateway.backends.no_audit import NoAudit
from gateway.backends.observing.gauges import Gauges
from gateway.backends.observing.heartbeats import Heartbeats
from gateway.backends.observing.observer import Observer
from gateway.backends.observing.roster import Roster
from gateway.backends.outbox.publisher import OutboxPublisher
from gateway.backends.outbox.sender import Sender, SplitSender
from gateway.backends.outbox.store import OutboxStore
from gateway.backends.outbox.sweeper import Sweeper
from gateway.backends.redis.audit import RedisAudit
from gateway.backends.redis.backlog import RedisBacklog
from gateway.backends.redis.connection import connect
from gateway.backends.redis.deliveries import RedisDeliveries
from gateway.backends.redis.depths import RedisDepths
from gateway.backends.redis.feed import RedisFeed
from gateway.backends.redis.history import RedisHistory
from gateway.backends.redis.keys import change_channel
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.log import RedisTaskLog
from gateway.backends.redis.naming import make_lanes, name_origin
from gateway.backends.redis.observations import RedisObservations
from gateway.backends.redis.open_tasks import RedisOpenTasks
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.reload_calls import ReloadCalls
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.sender import RedisSender
from gateway.backends.redis.subscription import Subscription
from gateway.backends.redis.totals import RedisTotals
from gateway.backends.redis.trips import SharedTrips
from gateway.backends.results.blocking_results import BlockingResults
from gateway.backends.results.choosing import make_results
from gateway.backends.results.disabled import DisabledResults
from gateway.backends.sealing import seal_secrets
from gateway.backends.split import SplitPublisher
from gateway.errors import BackendError, LedgerUnavailableError, ResultsUnavailableError
from gateway.flows.reconciling import Reconciler
from gateway.flows.services import Services
from gateway.flows.settling import Settler
from gateway.ports import ALL_TASKS, Probe, Publisher, Tally
from gateway.settings import Settings, is_redis


class Parts:
    """All that one process works with; the same for every catalog."""

    def __init__(
        self,
        settings: Settings,
        *,
        deadline_s: float,
        name_queues: Callable[[], Iterable[str]],
        tally: Tally,
        existing: ExistingApp | None = None,
        write_deeds: Callable[[Sequence[bytes]], None] | None = None,
    ) -> None:
        """`name_queues` names the queues of the present catalog; `write_deeds` gets the records of the audit, for the log."""
        self._settings = settings
        self._existing = existing
        self._deadline_s = deadline_s
        self._tally = tally
        self._clients: dict[str, Redis] = {}
        self._trips: dict[str, SharedTrips] = {}
        self._lanes = make_lanes(settings)
        self.closing = AsyncExitStack()
        self.runs: list[Callable[[], Coroutine[Any, Any, None]]] = []
        """What runs beside the requests, each until it is cancelled."""
        heartbeats = Heartbeats()
        roster = Roster(heartbeats, answer_period_s=settings.workers_refresh_s)
        self.workers = CeleryWorkers(self._make_celery(), heartbeats=heartbeats, roster=roster, deadline_s=deadline_s)
        self.closing.callback(self.workers.close)
        self.ledger = RedisLedger(
            self._share_trips(settings.redis_url), prefix=settings.key_prefix, deadline_s=deadline_s
        )
        self.history = RedisHistory(self._share_trips(settings.redis_url), prefix=settings.key_prefix)
        self.results = self._make_results()
        publisher, self.broker = self._make_publisher()
        self.publisher = seal_secrets(publisher, settings.secret_key)
        self.log = RedisTaskLog(self._share_trips(settings.redis_url), prefix=settings.key_prefix)
        self.backlog = RedisBacklog(self._share_trips(settings.redis_url), prefix=settings.key_prefix)
        self.feed = RedisFeed(self._share_trips(settings.redis_url), prefix=settings.key_prefix)
        heard = self._subscribe(settings.redis_url, LedgerUnavailableError, "the ledger")
        self.changes = self._make_changes(heard)
        self.reload_calls = ReloadCalls(self._share_trips(settings.redis_url), heard, prefix=settings.key_prefix)
        self.audit = self._make_audit(write_deeds)
        observer, gauges = self._make_observer(heartbeats, roster), self._make_gauges(roster, name_queues)
        self.runs += (self._make_settler().run, observer.run, gauges.run)
        if is_redis(settings.broker_url):  # others cannot be looked into, nor do they lose what they have confirmed
            self.runs.append(self._make_reconciler(name_queues).run)

    @property
    def services(self) -> Services:
        """Return what the flows work with."""
        return Services(
            publisher=self.publisher,
            ledger=self.ledger,
            results=self.results,
            workers=self.workers,
            changes=self.changes,
            log=self.log,
            history=self.history,
            feed=self.feed,
            tally=self._tally,
            audit=self.audit,
            deadline_s=self._deadline_s,
        )

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Return what readiness asks."""
        return (self.broker, self.ledger, self.results)

    def client(self, url: str) -> Redis:
        """Return the one client of a URL."""
        if url not in self._clients:
            client = connect(url, deadline_s=self._deadline_s, sentinel_master=self._settings.sentinel_master)
            self.closing.push_async_callback(client.aclose)
            self._clients[url] = client
        return self._clients[url]

    def _share_trips(self, url: str) -> SharedTrips:
        """Return the one way on which reads of a URL share round trips."""
        if url not in self._trips:
            self._trips[url] = SharedTrips(self.client(url), deadline_s=self._deadline_s)
        return self._trips[url]

    def _make_results(self) -> RedisResults | BlockingResults | DisabledResults:
        settings, deadline_s = self._settings, self._deadline_s
        url, key_prefix, max_bytes = settings.result_url, settings.result_key_prefix, settings.max_result_bytes
        if is_redis(url):
            trips = self._share_trips(url)
            return RedisResults(
                trips,
                key_prefix=key_prefix,
                deadline_s=deadline_s,
                max_bytes=max_bytes,
                keep_s=settings.result_keep_s,
            )
        options = self._existing.list_result_options() if self._existing else {}
        results = make_results(url, key_prefix=key_prefix, deadline_s=deadline_s, max_bytes=max_bytes, options=options)
        self.closing.callback(results.close)
        return results

    def _make_observer(self, heartbeats: Heartbeats, roster: Roster) -> Observer:
        settings = self._settings
        client = self.client(settings.redis_url)
        observations = RedisObservations(client, prefix=settings.key_prefix, deadline_s=self._deadline_s)
        return Observer(
            self._make_celery(),
            heartbeats,
            roster,
            observations,
            refresh_s=settings.workers_refresh_s,
            tell_worker=self.workers.tell,
        )

    def _make_gauges(self, roster: Roster, name_queues: Callable[[], Iterable[str]]) -> Gauges:
        settings = self._settings
        totals = RedisTotals(self._share_trips(settings.redis_url), prefix=settings.key_prefix)
        refresh_s = settings.workers_refresh_s
        return Gauges(roster, self._make_depths(), totals, name_queues=name_queues, refresh_s=refresh_s)

    def _make_depths(self) -> Depths:
        url = self._settings.broker_url
        if is_redis(url):
            return RedisDepths(self.client(url), lanes=self._lanes, deadline_s=self._deadline_s)
        depths = KombuDepths(self._make_celery(), deadline_s=self._deadline_s)
        self.closing.callback(depths.close)
        return depths

    def _make_audit(self, write_deeds: Callable[[Sequence[bytes]], None] | None) -> RedisAudit | NoAudit:
        settings = self._settings
        if not settings.audit_limit:
            return NoAudit()
        trips = self._share_trips(settings.redis_url)
        limit, prefix = settings.audit_limit, settings.key_prefix
        audit = RedisAudit(trips, self.ledger, prefix=prefix, limit=limit, write_lines=write_deeds)
        self.runs.append(audit.run)
        self.closing.push_async_callback(audit.write)
        return audit

    def _make_settler(self) -> Settler:
        settings = self._settings
        client = self.client(settings.redis_url)
        open_tasks = RedisOpenTasks(client, prefix=settings.key_prefix, deadline_s=self._deadline_s)
        return Settler(open_tasks, self.services)

    def _make_reconciler(self, name_queues: Callable[[], Iterable[str]]) -> Reconciler:
        settings = self._settings
        deliveries = RedisDeliveries(
            self.client(settings.redis_url),
            self.client(settings.broker_url),
            prefix=settings.key_prefix,
            lanes=self._lanes,
            origin=name_origin(),
            name_queues=name_queues,
            deadline_s=self._deadline_s,
        )
        return Reconciler(deliveries, self.services, answer_period_s=settings.workers_refresh_s)

    def _make_publisher(self) -> tuple[Publisher, Probe]:
        """Make the publisher: one step where ledger and broker are one Redis, an outbox elsewhere."""
        settings, deadline_s = self._settings, self._deadline_s
        origin = name_origin()
        if settings.broker_url == settings.redis_url:
            broker = RedisPublisher(
                self.client(settings.broker_url),
                prefix=settings.key_prefix,
                lanes=self._lanes,
                origin=origin,
                deadline_s=deadline_s,
            )
            if self._existing is None:
                return broker, broker
            return SplitPublisher(broker, self._make_outbox(self._make_kombu())), broker
        if is_redis(settings.broker_url):
            client = self.client(settings.broker_url)
            plain = RedisSender(client, lanes=self._lanes, origin=origin, deadline_s=deadline_s)
            other = self._make_kombu() if self._existing else None
            return self._make_outbox(SplitSender(plain, other) if other else plain), plain
        kombu = self._make_kombu()
        return self._make_outbox(kombu), kombu

    def _make_changes(self, ledger: Subscription) -> ChangeHub:
        """Make what tells of changes: the ledger's channel and the result backend's, one connection per Redis."""
        channel_of = partial(change_channel, self._settings.key_prefix)
        told = RedisSource(ledger, channel_of=channel_of, carries_records=False)
        records, feed = self._make_record_source(ledger)
        hub = ChangeHub(told, records)
        self.runs.append(Follower(hub, self.log, self.results, ledger, feed=feed).run)
        return hub

    def _make_record_source(self, ledger: Subscription) -> tuple[Source, FeedFollower | None]:
        """Listen where records are published; elsewhere look at those again and again that somebody waits for."""
        settings, results = self._settings, self.results
        if not isinstance(results, RedisResults):
            polling = PollingSource(results)
            self.runs.append(polling.run)
            return polling, None
        is_shared = settings.result_url == settings.redis_url
        subscription = (
            ledger if is_shared else self._subscribe(settings.result_url, ResultsUnavailableError, "the result backend")
        )
        feed = FeedFollower(self.feed, subscription, pattern=results.channel_of(ALL_TASKS))
        return RedisSource(subscription, channel_of=results.channel_of, carries_records=True), feed

    def _subscribe(self, url: str, failure: type[BackendError], what: str) -> Subscription:
        subscription = Subscription(self.client(url), deadline_s=self._deadline_s, failure=failure, what=what)
        self.runs.append(subscription.run)
        return subscription

    def _make_kombu(self) -> KombuSender:
        sender = KombuSender(self._make_celery(), deadline_s=self._deadline_s, existing=self._existing)
        self.closing.callback(sender.close)
        return sender

    def _make_outbox(self, sender: Sender) -> OutboxPublisher:
        settings = self._settings
        store = OutboxStore(self.client(settings.redis_url), prefix=settings.key_prefix, deadline_s=self._deadline_s)
        self.runs.append(Sweeper(store, sender, self.results, tally=self._tally).run)
        return OutboxPublisher(
            store, sender, limit=settings.outbox_limit, tally=self._tally, find_depth=self._find_depth
        )

    def _find_depth(self, queue: str) -> int | None:
        return self.workers.view().queues.get(queue)

    def _make_celery(self) -> Any:
        settings = self._settings
        return make_app(
            settings.broker_url,
            lanes=self._lanes,
            deadline_s=self._deadline_s,
            default_queue=settings.default_queue,
            sentinel_master=settings.sentinel_master,
            existing=self._existing,
        )
