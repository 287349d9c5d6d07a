# Homebrew, from source: brew install --build-from-source ./packaging/omni.rb
class Omni < Formula
  desc "Omni-modal inference server with OpenAI's API"
  homepage "https://github.com/OWNER/swift-omni"
  head "https://github.com/OWNER/swift-omni.git", branch: "main"
  license "Apache-2.0"

  depends_on "cmake" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build
  depends_on xcode: ["26.0", :build]
  depends_on "espeak-ng"
  depends_on "ffmpeg"

  def install
    ENV["OMNI_CACHE"] = buildpath/"cache"
    %w[native sherpa whisper].each { |part| system "bash", "scripts/#{part}.sh" }
    system "swift", "build", "--disable-sandbox", "-c", "release", "--product", "omni"
    # The program finds its libraries where they were built: they move with it.
    libexec.install Dir["cache/native/*/lib/*.dylib", "cache/whisper/*/lib/*.dylib", "cache/sherpa/*/lib/*.dylib"]
    bin.install ".build/release/omni"
    system "install_name_tool", "-add_rpath", libexec, bin/"omni"
    pkgshare.install "Models", "native.lock"
    (pkgshare/"whisper").install Dir["cache/whisper/*/models/*"]
    generate_completions_from_executable(bin/"omni", "--generate-completion-script")
  end

  service do
    run [opt_bin/"omni", "serve"]
    keep_alive crashed: true
    log_path var/"log/omni.log"
    error_log_path var/"log/omni.log"
  end

  test do
    assert_match "swift-omni", shell_output("#{bin}/omni --version")
  end
end
