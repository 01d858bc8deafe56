# client.pl PLAN: sends a plan's requests by LWP (IO::Socket::SSL, Net::SSLeay).
use strict;
use warnings;
use JSON::PP;
use LWP::UserAgent;

open my $file, '<', $ARGV[0] or die;
my $plan = decode_json(join '', <$file>);
my $agent = LWP::UserAgent->new(keep_alive => 1, ssl_opts => { SSL_ca_file => $ENV{DEMO_CA} });
my $whole = 0;
for my $step (@$plan) {
    my $body = encode_json($step->{body});
    $body =~ s/PID/$$/g;
    my $answer = $agent->post($ENV{DEMO_URL} . $step->{path}, 'Content-Type' => 'application/json',
        Authorization => "Bearer $ENV{OPENAI_API_KEY}", 'X-Api-Key' => $ENV{ANTHROPIC_API_KEY}, Content => $body);
    $whole++ unless $answer->header('X-Died') || $answer->header('Client-Aborted');
}
printf "%d of %d whole\n", $whole, scalar @$plan;
