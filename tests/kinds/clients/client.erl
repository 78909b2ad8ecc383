%% One client, as its argument says; prints what the server on port 5000 answers.
-mode(compile).

main([Kind]) ->
    Six = lists:suffix("6", Kind),
    {Family, Host} = case Six of
        true -> {inet6, {0, 0, 0, 0, 0, 0, 0, 1}};
        false -> {inet, {127, 0, 0, 1}}
    end,
    Local = case string:str(Kind, "bound") of
        0 -> [];
        _ -> [{ip, Host}]
    end,
    Options = [Family, binary, {active, false}] ++ Local,
    {ok, Answer} = case lists:prefix("udp", Kind) of
        true ->
            {ok, Socket} = gen_udp:open(0, Options),
            ok = gen_udp:send(Socket, Host, 5000, "hello\n"),
            {ok, {_, _, Words}} = gen_udp:recv(Socket, 0),
            {ok, Words};
        false ->
            {ok, Socket} = gen_tcp:connect(Host, 5000, Options),
            ok = gen_tcp:send(Socket, "hello\n"),
            gen_tcp:recv(Socket, 0)
    end,
    io:format("~s", [Answer]).
