import BenchmarkSupport
import Foundation
import OmniDiffusion
import OmniEngine
import OmniTensor

/// Times a Wan autoencoder, as JSON on standard output.
///
///     swift run -c release video-autoencoder-benchmark FOLDER [--width 256] [--height 256] [--latents 3] [--threads 2] [--encode] [--tiled] [--fast]
@main
struct AutoencoderBenchmark {
    static func main() throws {
        var arguments = BenchmarkArguments()
        let (width, height, latents) = (
            arguments.number("--width") ?? 256, arguments.number("--height") ?? 256, arguments.number("--latents") ?? 3
        )
        let backend = try Backend(threads: arguments.number("--threads") ?? ProcessInfo.processInfo.activeProcessorCount)
        guard let folder = arguments.argument else { return print("give an autoencoder's folder") }
        let (encodes, tiling) = (arguments.has("--encode"), arguments.has("--tiled") ? VideoTiling() : nil)

        var weights = WeightOptions()
        CausalAutoencoder.adjust(&weights, encodes: encodes, rounds: arguments.has("--fast"))
        let config = try JSONDecoder().decode(CausalAutoencoder.Config.self, from: Data(contentsOf: URL(filePath: "\(folder)/config.json")))
        let vae = try CausalAutoencoder(config, WeightStore(WeightFiles(path: folder), on: backend, options: weights), encodes: encodes)
        let executor = try Executor(backend)
        let (columns, rows) = (width / config.scale, height / config.scale)
        let price =
            try encodes ? vae.encodePrice(executor, width: width, height: height) : vae.decodePrice(executor, width: columns, height: rows)
        let shape = [config.z_dim, latents, rows, columns]
        // Smooth enough to look at, and the same each time.
        let values = (0..<shape.reduce(1, *)).map { sin(Float($0 % 8191)) }
        guard let source = VideoLatents(shape: shape, values: values) else { return print("no such size: \(shape)") }
        let loaded = Memory.owned

        var (peaks, frames): ([Int], Int) = ([], 0)
        let (start, processor) = (ContinuousClock.now, Processor.seconds)
        if encodes {
            frames = vae.frames(latents: latents)
            guard
                let grey = FloatImage(
                    width: width, height: height, values: values.prefix(1) + [Float](repeating: 0.5, count: width * height * 3 - 1))
            else { return }
            _ = try vae.encode(executor, ComputeScope(), frames: frames, width: width, height: height) { _ in
                peaks.append(Memory.owned)
                return grey
            }
        } else {
            try vae.decode(executor, ComputeScope(), source, tiling: tiling) { _, _ in
                peaks.append(Memory.owned)
                frames += 1
            }
        }
        let report: [String: Any] = [
            "engine": "swift-omni", "work": encodes ? "encode" : "decode", "width": width, "height": height, "frames": frames,
            "wall_s": start.duration(to: .now) / .seconds(1), "cpu_s": Processor.seconds - processor, "price_bytes": price.total,
            "loaded_bytes": loaded,
            "peak_bytes": Memory.peak, "owned_after_frames": peaks,
        ]
        try printReport(report)
    }
}
