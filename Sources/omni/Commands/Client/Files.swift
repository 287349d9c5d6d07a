import Foundation
import OmniClient

/// The user's files.
enum Files {
    /// A file to send. Throws ``FileFault`` where there is none.
    static func upload(_ path: String) throws -> Upload {
        guard FileManager.default.isReadableFile(atPath: path) else { throw FileFault.unreadable(path) }
        return .file(path)
    }

    /// `-` is the standard output.
    static func write(_ data: Data, to path: String) throws {
        if path == "-" { return Output.write(Array(data), to: STDOUT_FILENO) }
        do { try data.write(to: URL(fileURLWithPath: path)) } catch { throw FileFault.unwritable(path, error.localizedDescription) }
    }

    /// Saves a stream as it comes. The bytes written.
    static func save(_ stream: ByteStream, to path: String, progress: (Int) -> Void = { _ in }) async throws -> Int {
        if path == "-" {
            var count = 0
            for try await chunk in stream {
                Output.write(Array(chunk), to: STDOUT_FILENO)
                count += chunk.count
            }
            return count
        }
        do {
            return try await stream.save(to: URL(fileURLWithPath: path))
        } catch let error as OmniError where error.kind == .file {
            throw FileFault(message: error.message, code: 73)
        }
    }

    /// `picture.png`, or `picture-2.png` and so on where that is taken.
    static func free(_ name: String, _ ending: String) -> String {
        var path = "\(name).\(ending)"
        var number = 2
        while FileManager.default.fileExists(atPath: path) {
            path = "\(name)-\(number).\(ending)"
            number += 1
        }
        return path
    }

    /// Whether `path` can be written, asked before the work is done.
    static func checkWritable(_ path: String) throws {
        guard path != "-" else { return }
        let url = URL(fileURLWithPath: path)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw FileFault.unwritable(path, "it is a folder")
        }
        if FileManager.default.fileExists(atPath: path), !FileManager.default.isWritableFile(atPath: path) {
            throw FileFault.unwritable(path, "it is read-only")
        }
        let folder = url.deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw FileFault.unwritable(path, "there is no folder \(folder) that can be written to")
        }
    }

    /// All of the standard input, as text without blanks around it.
    static func standardInput() -> String {
        String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Whether the standard input is a pipe or a file, and so meant to be read beside an argument.
    static var isInputPiped: Bool {
        var status = stat()
        return fstat(STDIN_FILENO, &status) == 0 && [S_IFIFO, S_IFREG].contains(status.st_mode & S_IFMT)
    }

    /// The text of a command: its argument, or the standard input for `-` and for none.
    static func text(_ argument: String?, of command: String) throws -> String {
        if argument == nil || argument == "-", isatty(STDIN_FILENO) == 1 {
            throw FileFault(message: "Say what to \(command): omni \(command) \"…\", or send it through a pipe.", code: 64)
        }
        let text = argument.flatMap { $0 == "-" ? nil : $0 } ?? standardInput()
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw FileFault(message: "There is nothing to \(command): the text is empty.", code: 64)
        }
        return text
    }
}
