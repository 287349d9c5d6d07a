import Foundation
import OmniAPI

/// Text to phonemes, through one espeak-ng per language; the most recent few are kept alive. Used by one thread at a time.
final class Phonemizer {
    /// Programs kept alive at once.
    private static let mostPrograms = 4

    private let program: String
    /// The languages that espeak-ng lists, in lower case.
    let languages: Set<String>
    private var running: [(voice: String, espeak: EspeakProgram)] = []

    /// Throws ``APIError`` telling what to install when espeak-ng is not there.
    init() throws {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/usr/local/bin:/opt/homebrew/bin").split(separator: ":")
        let found = folders.map { "\($0)/espeak-ng" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else {
            throw APIError(
                .internalError, "This voice needs the program espeak-ng.", remedy: "Install it (Debian: apt-get install espeak-ng).")
        }
        program = found
        languages = try Self.languages(program: found)
    }

    /// Column 2 of `espeak-ng --voices`.
    private static func languages(program: String) throws -> Set<String> {
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--voices"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
            let table = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            let rows = String(decoding: table, as: UTF8.self).split(whereSeparator: \.isNewline).dropFirst()
            return Set(rows.compactMap { $0.split(separator: " ").dropFirst().first?.lowercased() })
        } catch {
            throw APIError(.internalError, "espeak-ng could not be started: \(error.localizedDescription).")
        }
    }

    /// The phonemes of one clause. A program that has died is replaced once.
    func phonemes(_ clause: String, voice: String) throws -> String {
        do {
            return try espeak(voice).phonemes(clause)
        } catch {
            running.removeAll { $0.voice == voice }
            return try espeak(voice).phonemes(clause)
        }
    }

    private func espeak(_ voice: String) throws -> EspeakProgram {
        if let place = running.firstIndex(where: { $0.voice == voice }) {
            let entry = running.remove(at: place)
            running.append(entry)
            return entry.espeak
        }
        let espeak = try EspeakProgram(voice: voice, program: program)
        if running.count >= Self.mostPrograms { running.removeFirst() }
        running.append((voice, espeak))
        return espeak
    }
}
