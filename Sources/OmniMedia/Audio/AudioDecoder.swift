import CFFmpeg
import OmniAPI

/// How much sound may be decoded. Decoding stops at the first limit that is passed.
public struct AudioLimits: Sendable {
    /// Bytes of the file itself.
    public var fileBytes: Int
    /// Length in seconds.
    public var seconds: Double
    public var channels: Int
    /// Bytes of the decoded float samples.
    public var decodedBytes: Int

    public init(fileBytes: Int = 25 << 20, seconds: Double = 3600, channels: Int = 8, decodedBytes: Int = 512 << 20) {
        self.fileBytes = fileBytes
        self.seconds = seconds
        self.channels = channels
        self.decodedBytes = decodedBytes
    }

    /// A reference voice: at most 10 MiB and 30 s.
    public static let voiceSample = AudioLimits(fileBytes: 10 << 20, seconds: 30, channels: 2, decodedBytes: 64 << 20)
}

/// Reads wav, mp3, ogg (Opus, Vorbis), flac, aac, m4a, webm and the like.
public enum AudioDecoder {
    /// Decodes a file in memory at its own rate and channels.
    ///
    /// Blocks while it works. Throws ``APIError``: 413 naming the limit that was passed, 400 for what is not sound.
    public static func decode(_ file: [UInt8], limits: AudioLimits = AudioLimits()) throws -> AudioClip {
        guard file.count <= limits.fileBytes else {
            throw APIError.mediaTooLarge("audio", "\(file.count) bytes", limit: "\(limits.fileBytes) bytes")
        }
        guard !file.isEmpty else { throw APIError.unreadableMedia("audio", "it is empty") }
        return try file.withUnsafeBufferPointer { bytes in
            let decoder = try FFmpegDecoder(bytes)
            try limits.check(decoder.info)
            return try decoder.run(limits)
        }
    }
}

extension AudioLimits {
    func check(_ info: cff_audio_info) throws {
        if info.channels > channels { throw APIError.mediaTooLarge("audio", "\(info.channels) channels", limit: "\(channels)") }
        if info.seconds > seconds { throw tooLong(info.seconds) }
    }

    fileprivate func check(frames: Int, info: cff_audio_info) throws {
        let decoded = frames * Int(info.channels) * MemoryLayout<Float>.size
        if Double(frames) > seconds * Double(info.sample_rate) { throw tooLong(nil) }
        if decoded > decodedBytes { throw APIError.mediaTooLarge("audio", "more than \(decodedBytes) bytes when decoded", limit: "that") }
    }

    func tooLong(_ length: Double?) -> APIError {
        let limit = "\(seconds.formattedSeconds) seconds"
        var error = APIError.mediaTooLarge("audio", length.map { "\($0.formattedSeconds) seconds" } ?? "more than \(limit)", limit: limit)
        error.code = .tooLong
        return error
    }
}

extension APIError.Code {
    /// Sound that lasts longer than it may: on the wire as ``APIError/Code/tooLarge``.
    public static let tooLong = Self(name: "too_long", status: tooLarge.status, type: tooLarge.type)
}

extension Double {
    /// Seconds without a needless fraction: `30`, `1.25`.
    fileprivate var formattedSeconds: String {
        let rounded = (self * 100).rounded() / 100
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
    }
}

/// Owner of one `cff_decoder`, which reads from bytes that the caller keeps in place.
private final class FFmpegDecoder {
    private let handle: OpaquePointer
    let info: cff_audio_info

    init(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        var info = cff_audio_info()
        let (handle, reason) = FFmpeg.call { cff_decoder_open(bytes.baseAddress, bytes.count, &info, $0) }
        guard let handle else { throw APIError.unreadableMedia("audio", reason) }
        self.handle = handle
        self.info = info
    }

    deinit { cff_decoder_free(handle) }

    func run(_ limits: AudioLimits) throws -> AudioClip {
        let channels = Int(info.channels)
        var clip = AudioClip(samples: [], sampleRate: Int(info.sample_rate), channels: channels)
        while true {
            var samples: UnsafePointer<Float>?
            let (count, reason) = FFmpeg.call { cff_decoder_next(handle, &samples, $0) }
            guard count >= 0 else { throw APIError.unreadableMedia("audio", reason) }
            guard count > 0, let samples else { break }
            try limits.check(frames: clip.frames + Int(count), info: info)
            clip.samples.append(contentsOf: UnsafeBufferPointer(start: samples, count: Int(count) * channels))
        }
        guard !clip.samples.isEmpty else { throw APIError.unreadableMedia("audio", "no sound could be decoded from it") }
        return clip
    }
}
