import Foundation
import Logging
import NIOConcurrencyHelpers
import OmniAPI
import OmniDiffusion
import OmniEngine
import OmniSingleFiles
import OmniTensor

extension EngineLoader {
    func loadDiffusion(progress: @escaping @Sendable (Double) -> Void) async throws -> any ServedModel {
        let meter = DiffusionLoadMeter(source, report: progress)
        return try await DiffusionEngine.load(source, options: diffusionOptions, lane: lane, logger: logger) { meter.note($0) }
    }

    func loadVideo(progress: @escaping @Sendable (Double) -> Void) async throws -> any ServedModel {
        let meter = DiffusionLoadMeter(source, report: progress)
        return try await VideoEngine.load(source, options: diffusionOptions, lane: lane, logger: logger) { meter.note($0) }
    }

    private var source: CheckpointSource { command.engine.components.paths.map { .files($0) } ?? .folder(command.model) }

    private var diffusionOptions: DiffusionOptions {
        get throws {
            let flags = command.engine
            var options = DiffusionOptions()
            options.threads = flags.threads ?? options.threads
            options.useGPU = flags.gpuLayers != 0
            guard flags.devices.count < 2 else {
                throw APIError(.invalidRequest, "--device names \(flags.devices.count) devices, and an image or video model takes one.")
            }
            options.device = options.useGPU ? flags.devices.first : nil
            options.loadThreads = flags.disableMultithreadWeightLoad ? 1 : flags.numWeightLoadThreads ?? options.loadThreads
            options.rounding = flags.dtype?.isHalf == true ? .fast : .exact
            options.tiling = flags.vaeUseTiling ? .always : .automatic
            options.memoryLimit = flags.maxImageMemory
            options.adapters = flags.components.adapters
            if let name = flags.quantization {
                // vLLM's names for eight bits.
                guard let type = ElementType(named: ["fp8", "int8"].contains(name) ? "q8_0" : name) else {
                    throw APIError(
                        .invalidRequest, "--quantization \(name) is not known.", remedy: "Use q8_0, q6_k, q5_k, q5_0, q4_k or q4_0.")
                }
                options.quantization = ["transformer": type, "text_encoder": type]
            }
            if let cache = flags.cacheBackend, !["none", "tea_cache"].contains(cache) {
                logger.warning("there is no such step cache; every step is computed", metadata: ["cache-backend": .string(cache)])
            }
            return options
        }
    }
}

/// Joins the progress of a checkpoint's components, each with its own count of bytes, to one share of the whole.
private final class DiffusionLoadMeter: Sendable {
    private let report: @Sendable (Double) -> Void
    /// Bytes of weights on the disk.
    private let whole: Double
    private let done = NIOLockedValueBox<[String: Int]>([:])

    init(_ source: CheckpointSource, report: @escaping @Sendable (Double) -> Void) {
        self.report = report
        let files: [String]
        switch source {
        case .folder(let folder):
            files = FileManager.default.enumerator(atPath: folder)?.compactMap { ($0 as? String).map { "\(folder)/\($0)" } } ?? []
        case .files(let paths): files = paths.all
        }
        let weights = files.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf") }
        let sizes = weights.map { name -> Int in
            // Hub caches hold links; the size is the file's behind it.
            let path = URL(filePath: name).resolvingSymlinksInPath().path
            return (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        }
        whole = Double(max(1, sizes.reduce(0, +)))
    }

    func note(_ progress: LoadProgress) {
        let sum = done.withLockedValue { done in
            done[progress.component] = progress.done
            return done.values.reduce(0, +)
        }
        report(min(1, Double(sum) / whole))
    }
}
