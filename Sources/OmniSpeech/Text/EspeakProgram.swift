import Foundation
import OmniAPI

/// One espeak-ng, kept alive, that turns lines of text into lines of phonemes.
///
/// espeak-ng is under the GPL: it runs as a separate program and is never linked. Without words on its command line it
/// answers each line of its input at once, with one line per clause that it finds; a word of ours behind each text tells
/// where the answer ends.
///
/// Used by one thread at a time.
final class EspeakProgram {
    private static let sentinel = "zyxquf"
    /// espeak-ng reads at most 999 bytes as one line.
    private static let longestLine = 900

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer: [UInt8] = []
    private var sentinelAnswer = ""

    /// Starts the program for one of espeak-ng's voices: `en-us`. Throws ``APIError`` when it is missing or knows no such voice.
    init(voice: String, program: String) throws {
        // A write to a program that has died must fail with an error, not end this process.
        signal(SIGPIPE, SIG_IGN)
        process.executableURL = URL(fileURLWithPath: program)
        // Even when quiet it computes the sound. Fast and high speech is short, has the same phonemes and halves the time.
        process.arguments = ["-q", "--ipa", "-b", "1", "-s", "440", "-p", "99", "-v", voice]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
            try write(Self.sentinel + "\n")
            sentinelAnswer = try readLine()
        } catch let error as APIError {
            throw error
        } catch {
            throw APIError(.internalError, "espeak-ng could not be started: \(error.localizedDescription).")
        }
        guard !sentinelAnswer.isEmpty else { throw APIError(.internalError, "espeak-ng does not speak the voice \(voice).") }
    }

    deinit {
        try? input.fileHandleForWriting.close()
        // Foundation ends this process over a program that was never started.
        if process.isRunning { process.terminate() }
    }

    /// The phonemes of a text without line breaks, its clauses joined by spaces.
    func phonemes(_ text: String) throws -> String {
        // A text with our own word in it would end its answer too early.
        let text = text.replacing(Self.sentinel, with: " ").replacing("[[", with: "[ [")
        return try Self.lines(text).map(answer).joined(separator: " ")
    }

    private func answer(_ line: String) throws -> String {
        try write("\(line)\n\(Self.sentinel)\n")
        var clauses: [String] = []
        while true {
            let clause = try readLine()
            if clause == sentinelAnswer { return clauses.joined(separator: " ") }
            if !clause.isEmpty { clauses.append(clause) }
        }
    }

    /// Cuts a text at spaces so that no line is too long; a single longer word is cut where it must be.
    private static func lines(_ text: String) -> [String] {
        var lines = [""]
        for word in text.split(whereSeparator: \.isWhitespace) {
            for piece in word.utf8.count < longestLine ? [String(word)] : word.unicodeScalars.map({ String($0) }) {
                let last = lines[lines.count - 1]
                if last.utf8.count + piece.utf8.count + 1 > longestLine {
                    lines.append(piece)
                } else {
                    lines[lines.count - 1] = last.isEmpty ? piece : piece == word ? "\(last) \(piece)" : last + piece
                }
            }
        }
        return lines.filter { !$0.isEmpty }
    }

    private func write(_ text: String) throws {
        do {
            try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        } catch {
            throw APIError(.internalError, "espeak-ng has ended.")
        }
    }

    private func readLine() throws -> String {
        let file = output.fileHandleForReading.fileDescriptor
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeFirst(end + 1) }
                return String(decoding: buffer[..<end], as: UTF8.self).trimmingCharacters(in: .whitespaces)
            }
            var waiting = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, 10_000)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { throw APIError(.internalError, "espeak-ng did not answer within 10 seconds.") }
            let count = read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw APIError(.internalError, "espeak-ng has ended.") }
            buffer += chunk[..<count]
        }
    }
}
