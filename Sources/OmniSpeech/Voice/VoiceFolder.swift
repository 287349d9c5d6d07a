import Foundation
import OmniAPI
import OmniEngine

/// A folder with the files of one voice model, recognised by what is in it.
struct VoiceFolder {
    let path: String
    let family: VoiceFamily
    /// Paths by the role that sherpa's configuration gives them.
    let files: [String: String]

    /// Throws ``APIError`` 404 when the folder does not exist, else 500 naming what is missing.
    init(path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw APIError(.notFound, "There is no voice at \(path).")
        }
        // A single file stands for the folder that it is in.
        let folder = isFolder.boolValue ? path : (path as NSString).deletingLastPathComponent
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        guard case .known(_, let family, let files) = VoiceRecognition(names: names) else {
            throw APIError.unusableVoice(
                folder,
                "no family of voices has these files (\(names.prefix(12).joined(separator: ", "))); known are "
                    + VoiceFamily.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self.path = folder
        self.family = family
        self.files = files.mapValues { "\(folder)/\($0)" }
    }
}

extension PreparedVoice {
    func file(_ role: String) throws -> String {
        guard let file = files[role] else { throw APIError.unusableVoice(files.values.min() ?? "?", "its \(role) is missing") }
        return file
    }
}
