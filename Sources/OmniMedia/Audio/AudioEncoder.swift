import CFFmpeg
import OmniAPI

/// Turns float PCM into the bytes of a sound file, piece by piece: ``push(_:)`` as sound comes, ``finish()`` at the end; what
/// both return, joined, is the file.
///
/// Used by one task or thread at a time. Encoding a sentence takes a few milliseconds.
public final class AudioEncoder {
    public let format: AudioFormat
    private let channels: Int
    /// nil for `wav` and `pcm`, which need no codec.
    private let codec: FFmpegEncoder?
    private var pendingHeader: [UInt8]

    /// - Parameters:
    ///   - sampleRate: Hz of the samples that will be pushed. Opus and MP3 know only some rates; others are resampled to
    ///     the next one above.
    ///   - channels: 1 or 2.
    ///   - bitRate: bits per second, for MP3, Opus and AAC; nil chooses one that suits speech.
    public init(format: AudioFormat, sampleRate: Int, channels: Int = 1, bitRate: Int? = nil) throws {
        guard (1000...384_000).contains(sampleRate) else { throw APIError.mediaFailure("Encoding", "\(sampleRate) Hz is no sample rate") }
        guard (1...2).contains(channels) else { throw APIError.mediaFailure("Encoding", "\(channels) channels are not supported") }
        self.format = format
        self.channels = channels
        pendingHeader = format == .wav ? PCM.wavHeader(sampleRate: sampleRate, channels: channels, dataBytes: nil) : []
        codec = try FFmpegEncoder.Choice(format).map {
            try FFmpegEncoder($0, sampleRate: sampleRate, channels: channels, bitRate: bitRate, streaming: true)
        }
    }

    /// Hz of the sound in a file of `format` that is made of samples at `sampleRate`.
    public static func codedRate(_ format: AudioFormat, sampleRate: Int) -> Int {
        FFmpegEncoder.Choice(format).map { Int(cff_encoder_rate($0.codec, Int32(clamping: sampleRate))) } ?? sampleRate
    }

    /// Takes interleaved samples and returns the bytes that are ready, headers first; possibly none.
    public func push(_ samples: [Float]) throws -> [UInt8] {
        if let codec {
            try codec.push(samples, channels: channels)
            return codec.drain()
        }
        defer { pendingHeader = [] }
        return pendingHeader + PCM.bytes(samples)
    }

    /// Ends the file and returns its last bytes.
    public func finish() throws -> [UInt8] {
        if let codec {
            try codec.finish()
            return codec.drain()
        }
        defer { pendingHeader = [] }
        return pendingHeader
    }

    /// A whole file at once, its header with exact sizes.
    public static func encode(_ clip: AudioClip, as format: AudioFormat, bitRate: Int? = nil) throws -> [UInt8] {
        guard let choice = FFmpegEncoder.Choice(format) else {
            let samples = PCM.bytes(clip.samples)
            return format == .wav
                ? PCM.wavHeader(sampleRate: clip.sampleRate, channels: clip.channels, dataBytes: samples.count) + samples : samples
        }
        let codec = try FFmpegEncoder(choice, sampleRate: clip.sampleRate, channels: clip.channels, bitRate: bitRate, streaming: false)
        try codec.push(clip.samples, channels: clip.channels)
        try codec.finish()
        return codec.bytes
    }
}

/// Owner of one `cff_encoder`.
private final class FFmpegEncoder {
    struct Choice {
        let muxer: String, codec: String, bitsPerChannel: Int

        init?(_ format: AudioFormat) {
            switch format {
            case .wav, .pcm: return nil
            case .mp3: (muxer, codec, bitsPerChannel) = ("mp3", "libmp3lame", 96_000)
            case .opus: (muxer, codec, bitsPerChannel) = ("ogg", "libopus", 48_000)
            case .flac: (muxer, codec, bitsPerChannel) = ("flac", "flac", 0)
            case .aac: (muxer, codec, bitsPerChannel) = ("adts", "aac", 96_000)
            }
        }
    }

    private let handle: OpaquePointer

    init(_ choice: Choice, sampleRate: Int, channels: Int, bitRate: Int?, streaming: Bool) throws {
        let (handle, reason) = choice.muxer.withCString { muxer in
            choice.codec.withCString { codec in
                var options = cff_encoder_options()
                options.muxer = muxer
                options.codec = codec
                options.sample_rate = Int32(sampleRate)
                options.channels = Int32(channels)
                // At low rates an encoder refuses more bits than its tables have: let speech at 8 kHz have 32 kbit/s.
                let most = sampleRate < 16_000 ? 32_000 : sampleRate < 22_050 ? 64_000 : choice.bitsPerChannel
                options.bit_rate = Int64(bitRate ?? min(choice.bitsPerChannel, most) * channels)
                options.streaming = streaming ? 1 : 0
                return FFmpeg.call { cff_encoder_open(&options, $0) }
            }
        }
        guard let handle else { throw APIError.mediaFailure("Encoding \(choice.codec)", reason) }
        self.handle = handle
    }

    deinit { cff_encoder_free(handle) }

    func push(_ samples: [Float], channels: Int) throws {
        // A few seconds at a time bound the codec's scratch memory.
        let step = 65_536 * channels
        for start in stride(from: 0, to: samples.count, by: step) {
            let end = min(start + step, samples.count)
            let (code, reason) = samples.withUnsafeBufferPointer { buffer in
                FFmpeg.call {
                    cff_encoder_push(
                        handle, UnsafeBufferPointer(rebasing: buffer[start..<end]).baseAddress, Int32((end - start) / channels), $0)
                }
            }
            guard code >= 0 else { throw APIError.mediaFailure("Encoding", reason) }
        }
    }

    func finish() throws {
        let (code, reason) = FFmpeg.call { cff_encoder_finish(handle, $0) }
        guard code >= 0 else { throw APIError.mediaFailure("Encoding", reason) }
    }

    var bytes: [UInt8] {
        var size = 0
        guard let start = cff_encoder_bytes(handle, &size), size > 0 else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: size))
    }

    func drain() -> [UInt8] {
        defer { cff_encoder_drained(handle) }
        return bytes
    }
}
