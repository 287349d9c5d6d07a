import Foundation
import OmniDiffusion
import OmniEngine
import Synchronization

/// Times a video checkpoint stage by stage, as JSON on standard output.
///
///     swift run -c release video-transformer-benchmark FOLDER [--side 256] [--frames 17] [--steps 3] [--fast] [--quantization q8_0] [--threads 2]
@main
struct TransformerBenchmark {
    static func main() async throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        func option(_ name: String) -> String? {
            guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
            defer { arguments.removeSubrange(place...place + 1) }
            return arguments[place + 1]
        }
        func number(_ name: String) -> Int? { option(name).flatMap { Int($0) } }
        let (side, frames, steps) = (number("--side") ?? 256, number("--frames") ?? 17, number("--steps") ?? 3)
        var options = DiffusionOptions()
        if let type = option("--quantization") { options.quantize(transformerAndTextEncoder: type) }
        options.threads = number("--threads") ?? options.threads
        if arguments.contains("--fast") { options.rounding = .fast }
        guard let folder = arguments.first(where: { !$0.hasPrefix("--") }) else { return print("give a checkpoint's folder") }

        let lane = StopwatchLane()
        let start = ContinuousClock.now
        let engine = try await VideoEngine.load(folder: folder, options: options, lane: lane)
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
        let spans = zip(all.dropFirst(), all).map { (stage: $0.stage, wall: $1.time.duration(to: $0.time) / .seconds(1), cpu: $0.cpu - $1.cpu) }
        let step = spans.filter { $0.stage == "denoise" }.sorted { $0.wall < $1.wall }
        func seconds(_ stage: String) -> Double { spans.filter { $0.stage == stage }.reduce(0) { $0 + $1.wall } }
        let report: [String: Any] = [
            "engine": "swift-omni", "side": side, "frames": frames, "load_s": load, "text_s": seconds("encode_prompt"), "decode_s": seconds("decode"),
            "step_s": step[step.count / 2].wall, "step_cpu_s": step[step.count / 2].cpu, "loaded_bytes": loaded, "priced_bytes": owned, "price_bytes": price.bytes, "peak_bytes": Memory.peak,
            "over_plan_bytes": lane.peak - owned - price.bytes, "slices": lane.slices.count, "longest_slice_ms": lane.slices.max() ?? 0,
        ]
        print(String(decoding: try JSONSerialization.data(withJSONObject: report, options: [.sortedKeys]), as: UTF8.self))
    }

    struct Mark {
        let stage: String
        let time = ContinuousClock.now
        let cpu = Processor.seconds
    }
}

/// Keeps how long each slice held the lane, milliseconds, and the most memory at the end of one.
final class StopwatchLane: ComputeLane {
    private let state = Mutex<(start: ContinuousClock.Instant, slices: [Double], peak: Int)>((.now, [], 0))
    var peak: Int { state.withLock { $0.peak } }
    var slices: [Double] { state.withLock { $0.slices } }
    func acquire() { state.withLock { $0.start = .now } }
    func release() {
        state.withLock { state in
            state.slices.append(state.start.duration(to: .now) / .milliseconds(1))
            state.peak = max(state.peak, Memory.owned)
        }
    }
}

/// Processor time of all threads, seconds.
enum Processor {
    static var seconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }
}

/// What Linux says of this process, bytes.
enum Memory {
    static var peak: Int { field("VmHWM:") }
    /// Without the pages of files, which the kernel maps in larger pieces than are read.
    static var owned: Int { field("RssAnon:") }

    private static func field(_ name: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
}
