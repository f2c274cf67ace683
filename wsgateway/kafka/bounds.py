"""Where partitions begin and end, on brokers that do not always say."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

_POLL_MS = 50


async def bounds(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return the first offset of each partition, and the one after its last.

    Changes what `consumer` is assigned, and where it reads. Waits as long as the broker does:
    the caller sets the bound.

    Raises:
        KafkaError: the broker refuses.
    """
    begins = await consumer.beginning_offsets(list(partitions))
    ends = await consumer.end_offsets(list(partitions))
    # Why: asked for the end, Tansu names the first offset of the last batch, plus one. A batch
    # that was read halfway would look finished, and nobody would read the rest. What comes with
    # a fetch is right on both brokers, so the last record is fetched.
    # 原因：问日志末尾，Tansu 答的是最后一批的首个位点加一。只读了一半的批次会显得已读完，
    # 剩下的就没人读。随拉取返回的末尾在两种代理上都对，所以拉一次最后的记录。
    filled = [one for one in partitions if ends[one] > begins[one]]
    if filled:
        consumer.assign(filled)
        for one in filled:
            consumer.seek(one, ends[one] - 1)
        while any(consumer.highwater(one) is None for one in filled):
            await consumer.getmany(timeout_ms=_POLL_MS, max_records=1)
        ends |= {one: max(ends[one], consumer.highwater(one)) for one in filled}
        consumer.pause(*filled)
    return begins, ends
