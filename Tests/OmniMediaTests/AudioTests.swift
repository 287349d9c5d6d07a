import OmniAPI
import OmniMedia
import Testing

@Suite("Sound files")
struct AudioTests {
    static let rates = [8000, 16_000, 22_050, 24_000, 44_100, 48_000]

    @Test("every format gives the tone back", arguments: AudioFormat.allCases.filter { $0 != .pcm }, rates)
    func roundTrip(format: AudioFormat, rate: Int) throws {
        let file = try AudioEncoder.encode(AudioClip(samples: tone(seconds: 1, rate: rate), sampleRate: rate), as: format)
        let clip = try AudioDecoder.decode(file)
        #expect(clip.channels == 1)
        // AAC starts with a silent frame of 1024 samples and fills its last one.
        #expect(abs(clip.duration - 1) < (format == .aac ? 2048 / Double(rate) : 0.1))
        let middle = Array(clip.samples[clip.samples.count / 4..<clip.samples.count * 3 / 4])
        #expect(purity(middle, hertz: 440, rate: clip.sampleRate) > 0.98)
        #expect(abs((middle.max() ?? 0) - 0.5) < 0.06)
    }

    @Test("a file made in pieces plays like one made at once", arguments: AudioFormat.allCases)
    func pieces(format: AudioFormat) throws {
        let samples = tone(seconds: 1.5, rate: 22_050)
        let encoder = try AudioEncoder(format: format, sampleRate: 22_050)
        var file: [UInt8] = []
        var early = 0
        for start in stride(from: 0, to: samples.count, by: 3001) {
            file += try encoder.push(Array(samples[start..<min(start + 3001, samples.count)]))
            if start < samples.count / 2 { early = file.count }
        }
        file += try encoder.finish()
        #expect(early > file.count / 5, "bytes come while sound comes")
        guard format != .pcm else { #expect(file == PCM.bytes(samples)); return }
        let clip = try AudioDecoder.decode(file)
        #expect(abs(clip.duration - 1.5) < 0.12)
        #expect(purity(Array(clip.samples.dropFirst(4000).prefix(8000)), hertz: 440, rate: clip.sampleRate) > 0.98)
    }

    @Test("wav keeps every sample, its streaming header has no sizes")
    func wav() throws {
        let samples: [Float] = [0, 0.5, -0.5, 1, -1, 2, .nan]
        let file = try AudioEncoder.encode(AudioClip(samples: samples, sampleRate: 24_000), as: .wav)
        #expect(file.count == 44 + 14)
        #expect(file[40..<44].elementsEqual([14, 0, 0, 0]))
        #expect(try AudioDecoder.decode(file).samples.map { ($0 * 32768).rounded() } == [0, 16384, -16384, 32767, -32767, 32767, 0])
        let stream = try AudioEncoder(format: .wav, sampleRate: 24_000)
        let header = try stream.push([])
        #expect(header.count == 44)
        #expect(header[4..<8].elementsEqual([255, 255, 255, 255]) && header[40..<44].elementsEqual([255, 255, 255, 255]))
        #expect(try stream.push(samples) == Array(file[44...]))
        #expect(try stream.finish().isEmpty)
    }

    @Test("silence of no length is still a file", arguments: AudioFormat.allCases)
    func empty(format: AudioFormat) throws {
        let file = try AudioEncoder.encode(AudioClip(samples: [], sampleRate: 24_000), as: format)
        #expect(format == .pcm || !file.isEmpty || format == .aac)
    }

    @Test("containers that others write", arguments: [("tone.webm", 1), ("tone.m4a", 1), ("tone.ogg", 2)])
    func foreign(name: String, channels: Int) throws {
        let clip = try AudioDecoder.decode(fixture(name))
        #expect(clip.sampleRate == 48_000 && clip.channels == channels)
        #expect(abs(clip.duration - 1) < 0.1)
        #expect(purity(Array(clip.mono.samples.dropFirst(9600).prefix(24_000)), hertz: 440, rate: 48_000) > 0.98)
    }

    @Test("stereo keeps its sides apart", arguments: AudioFormat.allCases.filter { $0 != .pcm })
    func stereo(format: AudioFormat) throws {
        let (left, right) = (tone(hertz: 300, seconds: 1, rate: 48_000), tone(hertz: 700, seconds: 1, rate: 48_000))
        let both = zip(left, right).flatMap { [$0, $1] }
        let clip = try AudioDecoder.decode(AudioEncoder.encode(AudioClip(samples: both, sampleRate: 48_000, channels: 2), as: format))
        #expect(clip.channels == 2)
        let heard = stride(from: 9600, to: 40_000, by: 1).map { clip.samples[$0 * 2] }
        #expect(purity(heard, hertz: 300, rate: 48_000) > 0.95)
    }

    @Test(
        "resampling keeps length, pitch and level, however the stream is cut",
        arguments: [(22_050, 48_000), (48_000, 16_000), (24_000, 8000)])
    func resampling(from: Int, to: Int) throws {
        let samples = tone(seconds: 1, rate: from)
        let whole = try AudioClip(samples: samples, sampleRate: from).resampled(to: to)
        #expect(abs(whole.frames - to) <= 2)
        #expect(purity(whole.samples, hertz: 440, rate: to) > 0.99)
        let resampler = try Resampler(from: from, to: to)
        var pieces: [Float] = []
        for start in stride(from: 0, to: samples.count, by: 777) {
            pieces += try resampler.push(Array(samples[start..<min(start + 777, samples.count)]))
        }
        pieces += try resampler.finish()
        #expect(pieces.count == whole.frames)
        #expect(zip(pieces, whole.samples).allSatisfy { abs($0 - $1) < 1e-5 })
    }
}
