import OmniAPI
import OmniMedia
import Testing

@Suite("Sound files that are made while they are read")
struct StreamTests {
    static let coded = AudioFormat.allCases.filter { $0 != .pcm && $0 != .wav }

    /// A file of two seconds, made in pieces of a fifth of a second as speech is.
    private func stream(_ format: AudioFormat, rate: Int) throws -> [UInt8] {
        let samples = tone(seconds: 2, rate: rate)
        let encoder = try AudioEncoder(format: format, sampleRate: rate)
        var file = try encoder.push([])
        for start in stride(from: 0, to: samples.count, by: rate / 5) {
            file += try encoder.push(Array(samples[start..<min(start + rate / 5, samples.count)]))
        }
        return file + (try encoder.finish())
    }

    @Test("cut anywhere they play to the cut", arguments: coded, [22_050, 24_000])
    func cut(format: AudioFormat, rate: Int) throws {
        let file = try stream(format, rate: rate)
        let whole = try AudioDecoder.decode(file)
        #expect(
            abs(whole.duration - 2) < 0.15
                && whole.sampleRate == (format == .opus ? 48_000 : AudioEncoder.codedRate(format, sampleRate: rate)))
        for tenth in 2...9 {
            let length = file.count * tenth / 10
            let clip = try AudioDecoder.decode(Array(file[..<length]))
            #expect(abs(clip.duration - 2 * Double(tenth) / 10) < 0.45, "\(tenth) tenths of the file")
            // What is there sounds as it does in the whole.
            let same = zip(clip.samples.dropLast(4800), whole.samples).filter { abs($0 - $1) < 0.02 }.count
            #expect(Double(same) > 0.9 * Double(max(0, clip.samples.count - 4800)))
        }
    }

    @Test("a tenth of a second of sound is enough for the first bytes", arguments: coded)
    func early(format: AudioFormat) throws {
        let encoder = try AudioEncoder(format: format, sampleRate: 24_000)
        var bytes = try encoder.push([])
        for _ in 0..<3 { bytes += try encoder.push(tone(seconds: 0.2, rate: 24_000)) }
        #expect(!bytes.isEmpty)
        #expect(try AudioDecoder.decode(bytes).duration > 0.1)
    }

    @Test(
        "the rate of the file is known before it is made",
        arguments: [
            (AudioFormat.wav, 22_050, 22_050), (.pcm, 22_050, 22_050), (.flac, 22_050, 22_050), (.mp3, 22_050, 22_050),
            (.aac, 22_050, 22_050),
            (.opus, 22_050, 24_000), (.opus, 24_000, 24_000), (.opus, 44_100, 48_000), (.mp3, 20_000, 22_050),
        ])
    func rate(format: AudioFormat, from: Int, to: Int) {
        #expect(AudioEncoder.codedRate(format, sampleRate: from) == to)
    }
}
