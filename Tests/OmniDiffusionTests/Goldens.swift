import Foundation
import Testing

@testable import OmniDiffusion
@testable import OmniEngine
@testable import OmniTensor

/// Tensors that Tools/goldens/zimage.py and wan.py wrote (torch 2.13.0+cpu, diffusers 0.42.1, transformers 5.23.0).
struct Goldens {
    let entries: [String: WeightEntry]

    init(_ name: String, in root: String = Fixtures.root) throws {
        entries = try WeightFiles(path: "\(root)/\(name).safetensors").entries
    }

    subscript(name: String) -> [Float] {
        get throws {
            let entry = try #require(entries[name], "no golden \(name)")
            let bytes = try entry.file.read(at: entry.offset, count: entry.byteCount)
            return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
    }

    /// Fastest axis first.
    func shape(_ name: String) throws -> [Int] { try #require(entries[name]).shape }

    func plane(_ name: String) throws -> Plane {
        let shape = try shape(name)
        return Plane(width: shape[0], height: shape[1], channels: shape[2], values: try self[name])
    }

    /// `[1, channels, height, width]` as a picture.
    func image(_ name: String) throws -> FloatImage {
        let plane = try plane(name)
        let values = (0..<plane.height).flatMap { y in (0..<plane.width).flatMap { x in (0..<plane.channels).map { plane[x, y, $0] } } }
        return try #require(FloatImage(width: plane.width, height: plane.height, channels: plane.channels, values: values))
    }
}

enum Fixtures {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/zimage"
    static let prompt = "a red fox over the hill, 1889"
    static let negative = "blurry"

    static func family(_ name: String, options: DiffusionOptions = DiffusionOptions()) throws -> (ZImageFamily, Backend) {
        try family(folder: "\(root)/\(name)", options: options)
    }

    static func family(folder: String, options: DiffusionOptions = DiffusionOptions()) throws -> (ZImageFamily, Backend) {
        let backend = try Backend(threads: 2, useGPU: false)
        let checkpoint = try Checkpoint(.folder(folder), backend: backend, options: options) { _ in }
        return (try #require(DiffusionFamilies.images(checkpoint) as? ZImageFamily), backend)
    }
}

/// What one request does, step by step.
struct Recording {
    /// The latents of all samples after each step.
    var steps: [[Float]] = []
    /// As finished, of each sample.
    var latents: [[Float]] = []
    var frames: [FloatImage] = []

    init(_ family: any DiffusionFamily, _ plan: DenoisingPlan, _ backend: Backend) throws {
        var (steps, latents, frames) = ([[Float]](), [[Float]](), [FloatImage]())
        let adapters = Adapters(family, backend)
        let executor = try Executor(backend)
        executor.deltas = try adapters.deltas(plan.adapters)
        let run = PipelineRun(executor: executor, scope: ComputeScope()) { event in
            switch event {
            case .frame(_, _, _, let frame): frames.append(frame)
            case .latents(let finished): latents = finished
            case .progress, .preview: break
            }
        }
        var pipeline = DenoisingPipeline(family: family, plan: plan, run: run)
        pipeline.observe = { steps.append($0.latents.flatMap(\.self)) }
        try pipeline.generate()
        (self.steps, self.latents, self.frames) = (steps, latents, frames)
    }
}

/// ‖a − b‖ / ‖b‖.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    let difference = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return (difference / max(b.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot()
}

/// Peak signal to noise, decibels, for values in 0…1.
func peakSignalToNoise(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count, !a.isEmpty else { return 0 }
    let error = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) } / Double(a.count)
    return error == 0 ? .infinity : -10 * log10(error)
}
