import OmniMedia
import OmniTestSupport
import Testing

@Suite("Speed with the pitch kept")
struct TimeStretchTests {
    @Test("the length is ⌊samples / speed⌋ and the pitch stays", arguments: [0.25, 0.5, 0.8, 1, 1.25, 1.5, 2, 3, 4])
    func length(speed: Double) {
        let samples = tone(hertz: 220, seconds: 2, rate: 22_050)
        var stretch = TimeStretch(speed: speed, sampleRate: 22_050)
        let output = stretch.push(samples) + stretch.finish()
        #expect(output.count == Int(Double(samples.count) / speed))
        // Windows land on whole samples, which moves the phase a little over time: look at a quarter of a second each.
        for start in stride(from: 0, to: output.count - 7000, by: 5500) {
            #expect(purity(Array(output[start..<start + 5500]), hertz: 220, rate: 22_050) > 0.97)
        }
        #expect(abs((output.max() ?? 0) - 0.5) < 0.05)
    }

    @Test("the output does not depend on how the input was cut", arguments: [1, 13, 1000, 7919])
    func cuts(size: Int) {
        let samples = (0..<30_000).map { Float(Double(($0 * $0) % 997) / 997 - 0.5) }
        var whole = TimeStretch(speed: 1.7, sampleRate: 16_000), parts = TimeStretch(speed: 1.7, sampleRate: 16_000)
        let expected = whole.push(samples) + whole.finish()
        var output: [Float] = []
        for start in stride(from: 0, to: samples.count, by: size) {
            output += parts.push(Array(samples[start..<min(start + size, samples.count)]))
        }
        output += parts.finish()
        #expect(output == expected)
    }

    @Test("any length, any speed")
    func anyLength() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            let count = Int.random(in: 0...9000, using: &generator), speed = Double.random(in: 0.25...4, using: &generator)
            var stretch = TimeStretch(speed: speed, sampleRate: 8000)
            #expect((stretch.push([Float](repeating: 0.1, count: count)) + stretch.finish()).count == Int(Double(count) / speed))
        }
    }

    @Test("sound comes out while sound goes in")
    func streaming() {
        var stretch = TimeStretch(speed: 2, sampleRate: 22_050)
        #expect(stretch.push(tone(seconds: 1, rate: 22_050)).count > 22_050 / 2 * 9 / 10)
    }

    @Test("no sound, and less than a window", arguments: [0, 1, 50, 400])
    func tiny(count: Int) {
        var stretch = TimeStretch(speed: 0.5, sampleRate: 16_000)
        #expect((stretch.push([Float](repeating: 0.1, count: count)) + stretch.finish()).count == count * 2)
    }
}
