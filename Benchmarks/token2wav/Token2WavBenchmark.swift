import BenchmarkSupport
import Foundation
import OmniEngine
import OmniTensor
import OmniToken2Wav

/// Times Qwen2.5-Omni's way from codes to sound, as JSON on standard output.
///
///     token2wav-benchmark FOLDER [--codes 100] [--threads 2] [--solver rk4] [--steps 10] [--guidance 50] [--fast] [--stream]
///
/// Guidance is in hundredths.
@main
struct Token2WavBenchmark {
    static func main() throws {
        var arguments = BenchmarkArguments()
        var (options, settings) = (Token2WavOptions(), Token2WavSettings())
        let count = arguments.number("--codes") ?? 100
        options.threads = arguments.number("--threads") ?? options.threads
        settings.solver = arguments.text("--solver").flatMap { Token2WavSettings.Solver(rawValue: $0) } ?? settings.solver
        settings.steps = arguments.number("--steps") ?? settings.steps
        settings.guidance = arguments.number("--guidance").map { Float($0) / 100 } ?? settings.guidance
        options.settings = settings
        options.rounding = arguments.has("--fast") ? .fast : .exact
        guard let folder = arguments.argument else { return print("give a folder") }

        let start = ContinuousClock.now
        let model = try Token2Wav(folder: folder, options: options)
        let loaded = start.duration(to: .now) / .seconds(1)
        let codes = (0..<count).map { Int32($0 * 7919 % 8000) }
        let lane = StopwatchLane()
        let stream = try model.stream(voice: model.voices[0].name, settings: settings, scope: ComputeScope(lane: lane))
        // The first call learns how fast kernels are, and brings mapped pages in.
        _ = try model.decode(Array(codes.prefix(12)), voice: model.voices[0].name)
        let processor = Processor.seconds
        var (first, begin) = (0.0, ContinuousClock.now)
        var report: Token2WavReport
        if arguments.has("--stream") {
            for code in codes where try !stream.append([code]).isEmpty && first == 0 { first = begin.duration(to: .now) / .seconds(1) }
            _ = try stream.finish()
            report = stream.report
        } else {
            begin = .now
            report = try model.measure(codes, voice: model.voices[0].name, settings: settings, scope: ComputeScope(lane: lane))
        }
        let sound = Double(count) / model.codesPerSecond
        try printReport([
            "engine": "swift-omni", "threads": options.threads, "rounding": "\(options.rounding)", "solver": settings.solver.rawValue,
            "steps": settings.steps, "guidance": settings.guidance, "sound_s": sound, "load_s": loaded,
            "dit_s_per_s": report.ditSeconds / sound,
            "dit_s_per_evaluation": report.ditSeconds / Double(max(1, report.evaluations)),
            "vocoder_s_per_s": report.vocoderSeconds / sound,
            "first_sound_s": first, "cpu_s": Processor.seconds - processor, "peak_bytes": Memory.peak, "owned_bytes": Memory.owned,
            "weight_bytes": model.weightBytes, "price_bytes": try model.streamBytes(settings),
            "longest_slice_ms": lane.slices.map(\.wall).max() ?? 0, "evaluations": report.evaluations,
        ])
    }
}
