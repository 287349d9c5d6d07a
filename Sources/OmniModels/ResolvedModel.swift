import Foundation
import OmniEngine
import OmniSingleFiles

/// A model found on this machine, whole as far as its headers tell.
public struct ResolvedModel: Sendable, Equatable {
    /// Where it was found.
    public enum Source: String, Sendable {
        /// A path that the user named.
        case path
        /// The data folder's `models/`.
        case home
        /// The Hugging Face cache.
        case hub
        /// The starter models that come with the program.
        case package
    }

    /// As the user named it.
    public var reference: String
    /// The name to serve it under when none is given: a Hub id or starter name as written, else the file's or folder's name.
    public var name: String
    public var kind: ModelKind
    public var source: Source
    /// What the engine opens: the GGUF file (the first of its shards), or the folder.
    public var path: URL
    /// All files of a sharded GGUF, in order; just `path` for one file; empty for a folder.
    public var shards: [URL]
    /// The projector for images and sound that stands beside the GGUF.
    public var mmproj: URL?
    /// The files of a picture or video model whose networks stand in files of their own; `path` is then the transformer's.
    public var components: ComponentPaths?
    /// `general.architecture` of a GGUF, the pipeline's class of a diffusers folder.
    public var architecture: String?
    /// Bytes on the disk.
    public var size: Int64

    public init(
        reference: String, name: String, kind: ModelKind, source: Source, path: URL, shards: [URL] = [], mmproj: URL? = nil,
        architecture: String? = nil, size: Int64 = 0
    ) {
        self.reference = reference
        self.name = name
        self.kind = kind
        self.source = source
        self.path = path
        self.shards = shards
        self.mmproj = mmproj
        self.architecture = architecture
        self.size = size
    }
}
