/// Sound of a spoken answer, as a file or as headerless samples: how a chunk and a whole answer carry it.
package struct ChatSound: Sendable, Equatable {
    package var bytes: [UInt8]
    package var format: AudioFormat
    /// Hz, where it is known.
    package var sampleRate: Int?

    package init(bytes: [UInt8] = [], format: AudioFormat, sampleRate: Int? = nil) {
        (self.bytes, self.format, self.sampleRate) = (bytes, format, sampleRate)
    }

    /// What a client needs to play it; the rate stands in a WAV's own header.
    package var metadata: JSONValue {
        let isWAV = format == .wav && bytes.count >= 44
        let rate = isWAV ? (24..<28).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) } : sampleRate
        let frames: JSONValue = isWAV ? .int((bytes.count - 44) / 2) : format == .pcm ? .int(bytes.count / 2) : .null
        return ["format": .string(format.rawValue), "sample_rate_hz": rate.map { .int($0) } ?? .null, "frame_count": frames, "channels": 1]
    }

    /// A choice of a chunk whose `modality` is `audio`.
    package func choice(_ index: Int = 0, finish: JSONValue = .null) -> JSONValue {
        [
            "index": .int(index), "delta": ["role": "assistant", "content": .string(bytes.base64)], "logprobs": nil,
            "finish_reason": finish,
            "stop_reason": nil, "audio_metadata": metadata,
        ]
    }

    /// `audio` of a whole message. `now`: seconds since 1970; the sound can be named for a day.
    package func message(id: String, transcript: String, now: Int) -> JSONValue {
        ["id": .string(id), "data": .string(bytes.base64), "expires_at": .int(now + 86_400), "transcript": .string(transcript)]
    }
}
