import OmniEngine
import Testing

@Suite("Metrics")
struct MetricsRegistryTests {
    private typealias Family = MetricsRegistry.Family

    @Test("counters and gauges with labels, each family once")
    func text() {
        let registry = MetricsRegistry()
        let asked = Family.counter("asked_total", "Requests.")
        registry.add(asked, labels: ["status": "200"])
        registry.add(asked, 2, labels: ["status": "200"])
        registry.add(asked, labels: ["status": "404", "path": "a\"b\\c\nd"])
        registry.set(.gauge("running", "Now."), 3)
        registry.set(.gauge("running", "Now."), 1)
        #expect(
            registry.text == """
                # HELP asked_total Requests.
                # TYPE asked_total counter
                asked_total{status="200"} 3.0
                asked_total{status="404",path="a\\"b\\\\c\\nd"} 1.0
                # HELP running Now.
                # TYPE running gauge
                running 1.0

                """)
    }

    @Test("a histogram's buckets are summed up and end in +Inf")
    func histogram() {
        let registry = MetricsRegistry()
        let family = Family.histogram("wait_s", "Waiting.", buckets: [1, 5])
        for value in [0.5, 1, 2, 100] { registry.observe(family, value, labels: ["m": "x"]) }
        #expect(
            registry.text == """
                # HELP wait_s Waiting.
                # TYPE wait_s histogram
                wait_s_bucket{m="x",le="1.0"} 2
                wait_s_bucket{m="x",le="5.0"} 3
                wait_s_bucket{m="x",le="+Inf"} 4
                wait_s_sum{m="x"} 103.5
                wait_s_count{m="x"} 4

                """)
    }

    @Test("a histogram kept elsewhere is the same as one observed")
    func wholeHistogram() {
        let family = Family.histogram("wait_s", "Waiting.", buckets: [1, 5])
        let (observed, set) = (MetricsRegistry(), MetricsRegistry())
        for value in [0.5, 1, 2, 100] { observed.observe(family, value) }
        set.set(family, counts: [2, 1, 1], sum: 103.5)
        #expect(set.text == observed.text)
    }

    @Test("nothing recorded is no text")
    func empty() {
        #expect(MetricsRegistry().text == "")
        #expect(MetricsRegistry.merge(["", ""]) == "")
    }

    @Test("a merge has each family once, with the series of all processes under it")
    func merge() {
        let (one, two) = (MetricsRegistry(), MetricsRegistry())
        let shared = Family.gauge("running", "Now.")
        one.set(shared, 1, labels: ["model_name": "a"])
        one.set(.counter("only_one", "One."), 5)
        two.set(shared, 2, labels: ["model_name": "b"])
        two.observe(.histogram("wait_s", "Waiting.", buckets: [1]), 0.5)
        let lines = MetricsRegistry.merge([one.text, two.text]).split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "# HELP running Now.", "# TYPE running gauge", #"running{model_name="a"} 1.0"#, #"running{model_name="b"} 2.0"#,
                "# HELP only_one One.", "# TYPE only_one counter", "only_one 5.0",
                "# HELP wait_s Waiting.", "# TYPE wait_s histogram", #"wait_s_bucket{le="1.0"} 1"#, #"wait_s_bucket{le="+Inf"} 1"#,
                "wait_s_sum 0.5", "wait_s_count 1",
            ])
    }
}
