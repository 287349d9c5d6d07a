import OmniDevices
import OmniTensor

/// Which kernels compute here, of those that run: ours by `OMNI_CPU`, and ggml's by `OMNI_GGML_CPU` where a build has several.
enum KernelChoice {
    static var finding: Finding {
        do {
            var lines = ["\(try KernelVariant.chosen().name) of \(KernelVariant.runnable.map(\.name).joined(separator: ", "))"]
            if let library = try CPULibrary.chosen() {
                lines.append("ggml's \(library.name) of \(CPULibrary.all.filter(\.runs).map(\.name).joined(separator: ", "))")
            }
            return .fine("kernels", lines.joined(separator: "\n"))
        } catch {
            return .fault("kernels", "\(error)", remedy: "Change or unset the variable.")
        }
    }
}
