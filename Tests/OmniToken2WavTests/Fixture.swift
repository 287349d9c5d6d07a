import Foundation
import Testing

@testable import OmniTensor
@testable import OmniToken2Wav

/// The tiny random Qwen2.5-Omni, and what transformers makes of it (Tools/omni/token2wav_goldens.py: torch 2.13.0+cpu, transformers 4.57.6).
enum Fixture {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/omni"
    static let folder = root + "/qwen2.5-omni"
    static let seed: UInt64 = 11

    static func options(_ rounding: Token2WavOptions.Rounding = .exact, threads: Int = 2) -> Token2WavOptions {
        var options = Token2WavOptions()
        (options.rounding, options.threads, options.settings.seed) = (rounding, threads, seed)
        return options
    }

    /// Loaded once: it does not change.
    static let model = Result { try Token2Wav(folder: folder, options: options()) }
    static let fastModel = Result { try Token2Wav(folder: folder, options: options(.fast)) }

    static let goldens = Result { try WeightFiles(path: "\(root)/token2wav.goldens.safetensors").entries }

    static func golden(_ name: String) throws -> [Float] {
        let entry = try #require(goldens.get()[name], "no golden \(name)")
        let bytes = try entry.file.read(at: entry.offset, count: entry.byteCount)
        return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }

    /// Codes of an utterance; the goldens' short one are the first 41.
    static func codes() throws -> [Int32] { try golden("codes").map(Int32.init) }
    static let short = 41
}

/// ‖a − b‖ / ‖b‖.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    let difference = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return (difference / max(b.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot()
}

/// Signal to noise, decibels.
func decibels(_ a: [Float], _ b: [Float]) -> Double { -20 * log10(max(relativeError(a, b), 1e-12)) }
