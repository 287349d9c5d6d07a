import Foundation
import OmniDiffusion
import OmniEngine
import Synchronization

/// Times a checkpoint stage by stage, as JSON on standard output.
///
///     swift run -c release image-benchmark FOLDER [--side 256] [--steps 3] [--count 1] [--fast] [--quantization q8_0] [--load-threads 4] [--threads 2]
@main
struct ImageBenchmark {
    static func main() async throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        func option(_ name: String) -> String? {
            guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
            defer { arguments.removeSubrange(place...place + 1) }
            return arguments[place + 1]
        }
        let side = option("--side").flatMap { Int($0) } ?? 256
        let steps = option("--steps").flatMap { Int($0) } ?? 3
        let count = option("--count").flatMap { Int($0) } ?? 1
        var options = DiffusionOptions()
        options.loadThreads = option("--load-threads").flatMap { Int($0) } ?? 4
        if let type = option("--quantization") { options.quantize(transformerAndTextEncoder: type) }
        if let threads = option("--threads").flatMap({ Int($0) }) { options.threads = threads }
        if arguments.contains("--fast") { options.rounding = .fast }
        guard let folder = arguments.first(where: { !$0.hasPrefix("--") }) else { return print("give a checkpoint's folder") }

        let lane = StopwatchLane()
        let start = ContinuousClock.now
        let engine = try await DiffusionEngine.load(folder: folder, options: options, lane: lane)
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
        let spans = zip(marks.dropFirst(), marks).map { (stage: $0.stage, wall: $1.time.duration(to: $0.time) / .seconds(1), cpu: $0.cpu - $1.cpu) }
        func seconds(_ stage: String) -> [Double] { spans.filter { $0.stage == stage }.map(\.wall) }
        func processor(_ stage: String) -> Double { spans.filter { $0.stage == stage }.reduce(0) { $0 + $1.cpu } }
        let step = seconds("denoise").sorted()
        let report: [String: Any] = [
            "engine": "swift-omni", "side": side, "count": count, "load_s": load / .seconds(1), "load_cpu_s": loadProcessor, "text_s": seconds("encode_prompt").reduce(0, +),
            "step_s": step[step.count / 2], "decode_s": seconds("decode").reduce(0, +),
            "text_cpu_s": processor("encode_prompt"), "step_cpu_s": processor("denoise") / Double(steps), "decode_cpu_s": processor("decode"), "price_bytes": price.bytes,
            "loaded_bytes": loaded, "peak_bytes": Memory.peak, "over_plan_bytes": lane.peak - owned - price.bytes,
            "slices": lane.slices.count, "longest_slice_ms": lane.slices.map(\.wall).max() ?? 0,
            "slices_over_50ms": lane.slices.filter { $0.wall > 50 }.count, "longest_slice_cpu_ms": lane.slices.map(\.cpu).max() ?? 0,
        ]
        print(String(decoding: try JSONSerialization.data(withJSONObject: report, options: [.sortedKeys]), as: UTF8.self))
    }
}

/// Keeps how long each slice held the lane, milliseconds, and the most memory at the end of one.
final class StopwatchLane: ComputeLane {
    private let state = Mutex<(start: ContinuousClock.Instant, cpu: Double, slices: [(wall: Double, cpu: Double)], peak: Int)>((.now, 0, [], 0))
    var peak: Int { state.withLock { $0.peak } }
    var slices: [(wall: Double, cpu: Double)] { state.withLock { $0.slices } }
    func acquire() { state.withLock { ($0.start, $0.cpu) = (.now, Processor.seconds) } }
    func release() {
        state.withLock { state in
            state.slices.append((state.start.duration(to: .now) / .milliseconds(1), (Processor.seconds - state.cpu) * 1000))
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
    static var resident: Int { field("VmRSS:") }
    static var peak: Int { field("VmHWM:") }
    /// Without the pages of files, which the kernel maps in larger pieces than are read.
    static var owned: Int { field("RssAnon:") }

    private static func field(_ name: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
}
