import CFFmpeg
import OmniAPI

/// Changes the sample rate of a stream. What ``push(_:)`` and ``finish()`` return does not depend on how the stream was cut.
///
/// Used by one task or thread at a time.
public final class Resampler {
    private let handle: OpaquePointer
    private let channels: Int

    /// Rates in Hz.
    public init(from: Int, to: Int, channels: Int = 1) throws {
        guard from > 0, to > 0, from <= 768_000, to <= 768_000, channels > 0 else {
            throw APIError.mediaFailure("Resampling", "\(from) Hz to \(to) Hz with \(channels) channels is not possible")
        }
        let (handle, reason) = FFmpeg.call { cff_resampler_open(Int32(from), Int32(to), Int32(channels), $0) }
        guard let handle else { throw APIError.mediaFailure("Resampling", reason) }
        self.handle = handle
        self.channels = channels
    }

    deinit { cff_resampler_free(handle) }

    /// Takes interleaved samples and returns those that are ready.
    public func push(_ samples: [Float]) throws -> [Float] {
        var converted: [Float] = []
        let step = 65_536 * channels
        for start in stride(from: 0, to: samples.count, by: step) {
            let piece = samples[start..<min(start + step, samples.count)]
            converted += try piece.withUnsafeBufferPointer { try convert($0.baseAddress, frames: piece.count / channels) }
        }
        return converted
    }

    /// Returns the samples still held back by the filter.
    public func finish() throws -> [Float] { try convert(nil, frames: 0) }

    private func convert(_ samples: UnsafePointer<Float>?, frames: Int) throws -> [Float] {
        let room = Int(cff_resampler_room(handle, Int32(frames)))
        var failure: String?
        let converted = [Float](unsafeUninitializedCapacity: room * channels) { buffer, count in
            let (frames, reason) = FFmpeg.call {
                cff_resampler_convert(handle, samples, Int32(frames), buffer.baseAddress, Int32(room), $0)
            }
            if frames < 0 { failure = reason }
            count = max(0, Int(frames)) * channels
        }
        if let failure { throw APIError.mediaFailure("Resampling", failure) }
        return converted
    }
}
