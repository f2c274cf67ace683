"""Where partitions begin and end, on brokers that do not always say."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from wsgateway.kafka.link import KafkaLink

_POLL_MS = 50


async def bounds_of(
    link: KafkaLink, partitions: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return what `bounds` does, asked by a consumer of its own.

    Raises:
        KafkaUnavailable: the broker does not answer.
    """
    # Why its own: a consumer with a group that is assigned anew while it still looks for its
    # coordinator dies of an assertion, and commits nothing any more.
    # 原因：另用一个消费者。带组的消费者若还在查找协调者时就被重新分配，会因断言失败而退出，
    # 此后再也不能提交。
    consumer = await link.started(link.consumer(None, fetch_wait_s=_POLL_MS / 1000))
    try:
        async with link.answered():
            return await bounds(consumer, partitions)
    finally:
        await link.close(consumer)


def know(consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
    """Assign partitions that are to be asked about, and read none of them."""
    # Why: about a topic it is not assigned, the library learns by itself, and waits 100 ms before
    # it looks: 3 s for 30 topics. What is assigned it asks about at once, in one question.
    # 原因：没有分配给它的主题，库要逐个去了解，每个先等 100 毫秒：30 个主题就是 3 秒。
    # 分配给它的，一次询问就全知道了。
    consumer.assign(list(partitions))
    consumer.pause(*partitions)


async def bounds(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return the first offset of each partition, and the one after its last.

    `consumer` has no group; what it is assigned changes, and where it reads. Waits as long as the
    broker does: the caller sets the bound.

    Raises:
        KafkaError: the broker refuses.
    """
    know(consumer, partitions)
    begins = await consumer.beginning_offsets(list(partitions))
    ends = await consumer.end_offsets(list(partitions))
    # Why: asked for the end, Tansu names the first offset of the last batch, plus one. A batch
    # that was read halfway would look finished, and nobody would read the rest. What comes with
    # a fetch is right on both brokers, so the last record is fetched.
    # 原因：问日志末尾，Tansu 答的是最后一批的首个位点加一。只读了一半的批次会显得已读完，
    # 剩下的就没人读。随拉取返回的末尾在两种代理上都对，所以拉一次最后的记录。
    filled = [one for one in partitions if ends[one] > begins[one]]
    if filled:
        for one in filled:
            consumer.seek(one, ends[one] - 1)
        consumer.resume(*filled)
        while any(consumer.highwater(one) is None for one in filled):
            await consumer.getmany(timeout_ms=_POLL_MS, max_records=1)
        ends |= {one: max(ends[one], consumer.highwater(one)) for one in filled}
        consumer.pause(*filled)
    return begins, ends
