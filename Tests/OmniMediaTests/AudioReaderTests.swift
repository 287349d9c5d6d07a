import OmniAPI
import OmniMedia
import Testing

@Suite struct AudioReaderTests {
    /// All that comes, and the largest piece of it.
    private func all(_ reader: AudioReader) throws -> (samples: [Float], largest: Int) {
        var samples: [Float] = [], largest = 0
        while let more = try reader.next() {
            samples += more
            largest = max(largest, more.count)
        }
        return (samples, largest)
    }

    @Test("every format, mixed to one channel at the rate that is asked for", arguments: AudioFormat.allCases.filter { $0 != .pcm })
    func formats(format: AudioFormat) throws {
        let file = try AudioEncoder.encode(AudioClip(samples: tone(seconds: 3, rate: 24_000), sampleRate: 24_000), as: format)
        let (samples, largest) = try all(AudioReader(file, sampleRate: 16_000))
        #expect(abs(Double(samples.count) / 16_000 - 3) < 0.15 && largest < 16_000, "it comes piece by piece")
        #expect(purity(Array(samples[8000..<40_000]), hertz: 440, rate: 16_000) > 0.95)
    }

    @Test func channelsAreMixed() throws {
        // Opposite signs cancel each other out.
        let mono = tone(seconds: 1, rate: 16_000)
        let stereo = mono.flatMap { [$0, -$0] }
        let file = try AudioEncoder.encode(AudioClip(samples: stereo, sampleRate: 16_000, channels: 2), as: .wav)
        let (samples, _) = try all(AudioReader(file, sampleRate: 16_000))
        #expect(samples.count == 16_000 && samples.allSatisfy { abs($0) < 0.01 })
    }

    @Test func limitsAreNamed() throws {
        let file = try AudioEncoder.encode(AudioClip(samples: tone(seconds: 2, rate: 16_000), sampleRate: 16_000), as: .wav)
        for limits in [AudioLimits(fileBytes: 100), AudioLimits(seconds: 1)] {
            let error = #expect(throws: APIError.self) { _ = try all(AudioReader(file, sampleRate: 16_000, limits: limits)) }
            #expect(error?.status == 413)
        }
    }

    @Test("what is no sound is told", arguments: [[], Array("not a sound at all".utf8), [UInt8](repeating: 0, count: 5000)]) func noSound(
        file: [UInt8]
    ) {
        let error = #expect(throws: APIError.self) { _ = try all(AudioReader(file, sampleRate: 16_000)) }
        #expect(error?.status == 400)
    }

    @Test func aFileThatWasCutOffGivesWhatIsThere() throws {
        let file = try AudioEncoder.encode(AudioClip(samples: tone(seconds: 4, rate: 16_000), sampleRate: 16_000), as: .mp3)
        let (samples, _) = try all(AudioReader(file.prefix(file.count / 2), sampleRate: 16_000))
        #expect(abs(Double(samples.count) / 16_000 - 2) < 0.3)
    }
}
