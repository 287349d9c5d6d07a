import Foundation
import OmniAPI
import OmniMedia
import Testing

/// A file of Tests/OmniMediaTests/Fixtures, made by Tools/media/make_fixtures.py.
func fixture(_ name: String) throws -> [UInt8] {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil))
    return [UInt8](try Data(contentsOf: url))
}

/// A mono sine wave of 0.5.
func tone(hertz: Double = 440, seconds: Double, rate: Int) -> [Float] {
    (0..<Int(seconds * Double(rate))).map { Float(0.5 * sin(2 * .pi * hertz * Double($0) / Double(rate))) }
}

/// Power of one frequency in a mono signal (Goertzel), relative to all of it: 1 for a pure tone.
func purity(_ samples: [Float], hertz: Double, rate: Int) -> Double {
    var sine = 0.0, cosine = 0.0, power = 0.0
    for (index, sample) in samples.enumerated() {
        let angle = 2 * Double.pi * hertz * Double(index) / Double(rate)
        sine += Double(sample) * sin(angle)
        cosine += Double(sample) * cos(angle)
        power += Double(sample) * Double(sample)
    }
    return power == 0 ? 0 : 2 * (sine * sine + cosine * cosine) / (Double(samples.count) * power)
}

/// Resident memory of this process in bytes; 0 where the system has no /proc.
func residentBytes() -> Int {
    guard let status = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let pages = status.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * 4096
}

func status(_ error: any Error) -> Int? { (error as? APIError)?.status }

/// Fails when `round` keeps memory each time it runs. The process's memory says that only while no other test runs: without
/// `OMNI_TEST_ALONE`, which `make test` sets for a run of this target by itself, the rounds run and nothing is measured.
func expectNoLeak(_ rounds: Int, limit: Int = 16 << 20, round: (Int) throws -> Void) throws {
    guard ProcessInfo.processInfo.environment["OMNI_TEST_ALONE"] != nil else {
        for number in 0..<rounds / 4 { try round(number) }
        return
    }
    for number in 0..<rounds { try round(number) }
    let before = residentBytes()
    for number in 0..<rounds { try round(number) }
    let growth = residentBytes() - before
    #expect(growth < limit, "memory grew by \(growth) bytes in \(rounds) rounds")
}
