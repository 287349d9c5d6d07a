import NIOPosix
import OmniAPI
import OmniMedia

/// Makes a sound file of samples while they come.
// @unchecked: the one task that writes the reply uses it, one call after the other.
final class SpeechCoder: @unchecked Sendable {
    private let encoder: AudioEncoder
    /// `wav` and `pcm` need no codec, and no thread of their own.
    private let isPlain: Bool

    /// - Parameter sampleRate: Hz of the samples.
    init(_ format: AudioFormat, sampleRate: Int) throws {
        encoder = try AudioEncoder(format: format, sampleRate: sampleRate)
        isPlain = format == .wav || format == .pcm
    }

    /// The bytes that are ready; for no samples the header, where one is ready.
    func push(_ samples: [Float]) async throws -> [UInt8] { try await away { try $0.push(samples) } }

    /// The last bytes.
    func finish() async throws -> [UInt8] { try await away { try $0.finish() } }

    private func away(_ work: @escaping @Sendable (AudioEncoder) throws -> [UInt8]) async throws -> [UInt8] {
        if isPlain { return try work(encoder) }
        return try await NIOThreadPool.singleton.runIfActive { [self] in try work(encoder) }
    }
}
