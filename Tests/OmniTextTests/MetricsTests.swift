import OmniEngine
import Testing

@testable import OmniText

@Suite("Durations for metrics")
struct MetricsTests {
    @Test("the time from a client's leaving to the end of its work is that client's own")
    func cancelLatency() {
        let meter = TextMeter()
        let late = Departure()
        late.note(ContinuousClock.now - .milliseconds(1))
        meter.cancelled(leftAt: late.time)
        #expect(meter.statistics.cancelLatency.count == 1 && meter.statistics.cancelLatency.sum < 100)
        meter.cancelled(leftAt: nil)
        #expect(meter.statistics.cancelLatency.count == 1 && meter.statistics.requestsCancelled == 2)
    }

    @Test("a family's coarser buckets hold the same observations")
    func merged() {
        var histogram = DurationHistogram()
        let seconds = [0.0005, 0.003, 0.05, 0.07, 1.5, 4, 45, 301]
        for duration in seconds { histogram.add(duration) }
        let family = MetricsRegistry.Family.requestLatency
        var expected = [Int](repeating: 0, count: family.buckets.count + 1)
        for duration in seconds { expected[family.buckets.firstIndex { duration <= $0 } ?? family.buckets.count] += 1 }
        #expect(histogram.counts(in: family.buckets) == expected)
        #expect(histogram.counts(in: DurationHistogram.bounds) == histogram.counts && histogram.count == seconds.count)
    }
}
