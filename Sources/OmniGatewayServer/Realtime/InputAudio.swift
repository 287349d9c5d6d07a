import OmniAPI

/// What the user has said and is not committed yet, with its place in all sound of the session.
struct InputAudio {
    let format: RealtimeAudioFormat
    private(set) var bytes: [UInt8] = []
    /// Bytes of the session's sound before ``bytes``.
    private var origin = 0

    init(_ format: RealtimeAudioFormat) { self.format = format }

    /// Milliseconds of the session's sound, up to the beginning and the end of what is held.
    var start: Int { format.milliseconds(bytes: origin) }
    var end: Int { format.milliseconds(bytes: origin + bytes.count) }
    /// Milliseconds held.
    var length: Int { format.milliseconds(bytes: bytes.count) }

    mutating func add(_ more: some Collection<UInt8>) { bytes += more }

    /// Forgets what lies before a place, milliseconds of the session's sound.
    mutating func drop(before place: Int) {
        let count = min(max(0, format.bytes(milliseconds: place) - origin), bytes.count) / format.sampleBytes * format.sampleBytes
        guard count > 0 else { return }
        bytes.removeFirst(count)
        origin += count
    }

    /// Takes everything that is held.
    mutating func takeAll() -> [UInt8] {
        origin += bytes.count
        defer { bytes = [] }
        return bytes
    }
}
