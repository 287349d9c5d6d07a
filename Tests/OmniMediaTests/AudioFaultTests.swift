import Foundation
import OmniAPI
import OmniMedia
import OmniTestSupport
import Testing

@Suite("Sound files that are wrong or too large", .serialized)
struct AudioFaultTests {
    @Test("each limit stops decoding with 413 and names itself")
    func limits() throws {
        let file = try AudioEncoder.encode(AudioClip(samples: [Float](repeating: 0, count: 60 * 48_000), sampleRate: 48_000), as: .flac)
        #expect(file.count < 100_000)
        func refusal(_ limits: AudioLimits) -> String? {
            do {
                _ = try AudioDecoder.decode(file, limits: limits)
                return nil
            } catch let error as APIError {
                return error.status == 413 ? error.message : nil
            } catch { return nil }
        }
        #expect(refusal(AudioLimits(fileBytes: 100)) == "The audio has \(file.count) bytes; the limit is 100 bytes.")
        #expect(refusal(AudioLimits(seconds: 30)) == "The audio has 60 seconds; the limit is 30 seconds.")
        #expect(refusal(AudioLimits(channels: 0)) == "The audio has 1 channels; the limit is 0.")
        #expect(refusal(AudioLimits(decodedBytes: 1 << 20))?.contains("1048576 bytes when decoded") == true)
    }

    @Test("a small file that unpacks to gigabytes takes little memory")
    func bomb() throws {
        // Streaming FLAC does not tell its length: only counting stops this one.
        let encoder = try AudioEncoder(format: .flac, sampleRate: 48_000)
        var file: [UInt8] = []
        let silence = [Float](repeating: 0, count: 48_000)
        for _ in 0..<1200 { file += try encoder.push(silence) }
        file += try encoder.finish()
        #expect(file.count < 1 << 20)
        let before = residentBytes()
        #expect { try AudioDecoder.decode(file, limits: .voiceSample) } throws: { status($0) == 413 }
        // Beside other tests of this process their memory counts as well.
        if ProcessInfo.processInfo.environment["OMNI_TEST_ALONE"] != nil { #expect(residentBytes() - before < 64 << 20) }
    }

    @Test(
        "what is no sound is refused with a reason",
        arguments: [
            [], [0], Array("hello, this is plain text and no sound at all".utf8), [UInt8](repeating: 0, count: 5000),
            Array("RIFF\u{4}\0\0\0WAVEfmt ".utf8), Array("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".utf8),
            Array("ID3\u{4}\0\0\0\0\u{7}v".utf8),
        ])
    func garbage(file: [UInt8]) {
        #expect { try AudioDecoder.decode(file) } throws: { status($0) == 400 }
    }

    @Test(
        "files cut short or with flipped bytes never bring the process down, and leak nothing",
        arguments: [AudioFormat.wav, .mp3, .opus, .flac, .aac])
    func damage(format: AudioFormat) throws {
        let whole = try AudioEncoder.encode(AudioClip(samples: tone(seconds: 0.5, rate: 24_000), sampleRate: 24_000), as: format)
        var generator = SeededGenerator(seed: 42)
        try expectNoLeak(300) { round in
            var file = whole
            if round % 2 == 0 { file.removeLast(Int.random(in: 1..<file.count, using: &generator)) }
            for _ in 0..<(round % 7) {
                file[Int.random(in: 0..<file.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? AudioDecoder.decode(file, limits: .voiceSample)
        }
    }

    @Test("encoders that are dropped halfway leak nothing", arguments: AudioFormat.allCases)
    func dropped(format: AudioFormat) throws {
        let samples = tone(seconds: 0.2, rate: 22_050)
        try expectNoLeak(200) { _ in
            let encoder = try AudioEncoder(format: format, sampleRate: 22_050)
            _ = try encoder.push(samples)
        }
    }
}
