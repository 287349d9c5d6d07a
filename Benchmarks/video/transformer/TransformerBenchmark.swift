import BenchmarkSupport
import OmniDiffusion
import OmniEngine
import Synchronization

/// Times a video checkpoint stage by stage, as JSON on standard output.
///
///     swift run -c release video-transformer-benchmark FOLDER [--side 256] [--frames 17] [--steps 3] [--fast] [--quantization q8_0] [--threads 2]
@main
struct TransformerBenchmark {
    static func main() async throws {
        var arguments = BenchmarkArguments()
        let (side, frames, steps) = (
            arguments.number("--side") ?? 256, arguments.number("--frames") ?? 17, arguments.number("--steps") ?? 3
        )
        var options = DiffusionOptions()
        if let type = arguments.text("--quantization") { options.quantize(transformerAndTextEncoder: type) }
        options.threads = arguments.number("--threads") ?? options.threads
        if arguments.has("--fast") { options.rounding = .fast }
        guard let folder = arguments.argument else { return print("give a checkpoint's folder") }

        let lane = StopwatchLane()
        let start = ContinuousClock.now
        let engine = try await VideoEngine.load(.folder(folder), options: options, lane: lane)
        let (load, loaded) = (start.duration(to: .now) / .seconds(1), Memory.owned)
        var request = VideoRequest(prompt: "a red fox runs over the green hill while the sun is setting", seed: 1)
        (request.width, request.height, request.frames, request.steps, request.guidanceScale) = (side, side, frames, steps, 1)
        let price = try await engine.price(request)
        let owned = Memory.owned
        let marks = Mutex<[Mark]>([Mark(stage: "start")])
        try await engine.generate(request, scope: RequestScope(id: "benchmark")) { event in
            if case .progress(let stage, _, _) = event { marks.withLock { $0.append(Mark(stage: stage.rawValue)) } }
        }
        let all = marks.withLock { $0 }
        let spans = zip(all.dropFirst(), all).map {
            (stage: $0.stage, wall: $1.time.duration(to: $0.time) / .seconds(1), cpu: $0.cpu - $1.cpu)
        }
        let step = spans.filter { $0.stage == "denoise" }.sorted { $0.wall < $1.wall }
        func seconds(_ stage: String) -> Double { spans.filter { $0.stage == stage }.reduce(0) { $0 + $1.wall } }
        let report: [String: Any] = [
            "engine": "swift-omni", "side": side, "frames": frames, "load_s": load, "text_s": seconds("encode_prompt"),
            "decode_s": seconds("decode"),
            "step_s": step[step.count / 2].wall, "step_cpu_s": step[step.count / 2].cpu, "loaded_bytes": loaded, "priced_bytes": owned,
            "price_bytes": price.bytes, "peak_bytes": Memory.peak,
            "over_plan_bytes": lane.peak - owned - price.bytes, "slices": lane.slices.count,
            "longest_slice_ms": lane.slices.map(\.wall).max() ?? 0,
        ]
        try printReport(report)
    }

    struct Mark {
        let stage: String
        let time = ContinuousClock.now
        let cpu = Processor.seconds
    }
}
