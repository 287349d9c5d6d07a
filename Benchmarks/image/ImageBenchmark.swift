import BenchmarkSupport
import OmniDiffusion
import OmniEngine

/// Times a checkpoint stage by stage, as JSON on standard output.
///
///     swift run -c release image-benchmark FOLDER [--side 256] [--steps 3] [--count 1] [--fast] [--quantization q8_0] [--load-threads 4] [--threads 2]
@main
struct ImageBenchmark {
    static func main() async throws {
        var arguments = BenchmarkArguments()
        let side = arguments.number("--side") ?? 256
        let steps = arguments.number("--steps") ?? 3
        let count = arguments.number("--count") ?? 1
        var options = DiffusionOptions()
        options.loadThreads = arguments.number("--load-threads") ?? 4
        if let type = arguments.text("--quantization") { options.quantize(transformerAndTextEncoder: type) }
        if let threads = arguments.number("--threads") { options.threads = threads }
        if arguments.has("--fast") { options.rounding = .fast }
        guard let folder = arguments.argument else { return print("give a checkpoint's folder") }

        let lane = StopwatchLane()
        let start = ContinuousClock.now
        let engine = try await DiffusionEngine.load(.folder(folder), options: options, lane: lane)
        let (load, loadProcessor) = (start.duration(to: .now), Processor.seconds)
        var request = ImageRequest(prompt: "a red fox runs over the green hill while the sun is setting behind the mountains", seed: 1)
        (request.width, request.height, request.steps, request.guidanceScale) = (side, side, steps, 0)
        request.count = count
        let price = try await engine.price(request)
        let (loaded, owned) = (Memory.resident, Memory.owned)

        var marks: [(stage: String, time: ContinuousClock.Instant, cpu: Double)] = [("start", .now, Processor.seconds)]
        for try await event in try await engine.generate(request, scope: RequestScope(id: "benchmark")) {
            if case .progress(let stage, _, _) = event { marks.append((stage.rawValue, .now, Processor.seconds)) }
        }
        let spans = zip(marks.dropFirst(), marks).map {
            (stage: $0.stage, wall: $1.time.duration(to: $0.time) / .seconds(1), cpu: $0.cpu - $1.cpu)
        }
        func seconds(_ stage: String) -> [Double] { spans.filter { $0.stage == stage }.map(\.wall) }
        func processor(_ stage: String) -> Double { spans.filter { $0.stage == stage }.reduce(0) { $0 + $1.cpu } }
        let step = seconds("denoise").sorted()
        let report: [String: Any] = [
            "engine": "swift-omni", "side": side, "count": count, "load_s": load / .seconds(1), "load_cpu_s": loadProcessor,
            "text_s": seconds("encode_prompt").reduce(0, +),
            "step_s": step[step.count / 2], "decode_s": seconds("decode").reduce(0, +),
            "text_cpu_s": processor("encode_prompt"), "step_cpu_s": processor("denoise") / Double(steps),
            "decode_cpu_s": processor("decode"), "price_bytes": price.bytes,
            "loaded_bytes": loaded, "peak_bytes": Memory.peak, "over_plan_bytes": lane.peak - owned - price.bytes,
            "slices": lane.slices.count, "longest_slice_ms": lane.slices.map(\.wall).max() ?? 0,
            "slices_over_50ms": lane.slices.filter { $0.wall > 50 }.count, "longest_slice_cpu_ms": lane.slices.map(\.cpu).max() ?? 0,
        ]
        try printReport(report)
    }
}
