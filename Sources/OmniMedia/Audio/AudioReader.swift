import CFFmpeg
import OmniAPI

/// Reads the sound of a file piece by piece, mixed to one channel: memory does not grow with its length.
///
/// Used by one task or thread at a time.
// @unchecked: whoever reads hands it on whole.
public final class AudioReader: @unchecked Sendable {
    /// Seconds in all as the container says; nil where it does not. Never to be trusted.
    public let statedSeconds: Double?
    /// FFmpeg's name of the codec.
    public let codec: String
    private let sampleRate: Int
    private let limits: AudioLimits
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    private let handle: OpaquePointer
    private var frames = 0

    /// - Parameters:
    ///   - file: wav, mp3, ogg, flac, aac, m4a, webm, or a video with sound.
    ///   - sampleRate: Hz of what is read.
    /// - Throws: ``APIError``: 413 naming the limit that the file says it passes, 400 for what is not sound.
    public init(_ file: some Collection<UInt8>, sampleRate: Int, limits: AudioLimits = AudioLimits()) throws {
        guard file.count <= limits.fileBytes else {
            throw APIError.mediaTooLarge("audio", "\(file.count) bytes", limit: "\(limits.fileBytes) bytes")
        }
        guard !file.isEmpty else { throw APIError.unreadableMedia("audio", "it is empty") }
        // The decoder reads from it as long as it lives.
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: file.count)
        _ = bytes.initialize(from: file)
        var info = cff_audio_info()
        let (handle, reason) = FFmpeg.call { cff_decoder_open(bytes.baseAddress, bytes.count, &info, $0) }
        guard let handle else {
            bytes.deallocate()
            throw APIError.unreadableMedia("audio", reason)
        }
        cff_decoder_mix(handle, Int32(sampleRate))
        (self.bytes, self.handle, self.sampleRate, self.limits) = (bytes, handle, sampleRate, limits)
        statedSeconds = info.seconds > 0 ? info.seconds : nil
        codec = String(cString: info.codec)
        try limits.check(info)
    }

    deinit {
        cff_decoder_free(handle)
        bytes.deallocate()
    }

    /// Reads to the end, or to the limit, and keeps nothing.
    public func skipAll() throws { while try next() != nil {} }

    /// The next samples, −1…1; nil at the end. Throws ``APIError``: 413 once a limit is passed, 400 where the file is damaged.
    public func next() throws -> [Float]? {
        var samples: UnsafePointer<Float>?
        let (count, reason) = FFmpeg.call { cff_decoder_next(handle, &samples, $0) }
        guard count >= 0 else { throw APIError.unreadableMedia("audio", reason) }
        guard count > 0, let samples else {
            guard frames > 0 else { throw APIError.unreadableMedia("audio", "no sound could be decoded from it") }
            return nil
        }
        frames += Int(count)
        if Double(frames) > limits.seconds * Double(sampleRate) { throw limits.tooLong(nil) }
        return Array(UnsafeBufferPointer(start: samples, count: Int(count)))
    }
}
