"""What the world says, and asks, about cup finals."""

SHEET = """
= intro
+ {n} was a {sort} played in {land}
+ {n} was the {sort} that decided the season in {land}
+ {n} , a {sort} , is remembered in {land} for its [fog|late goals|quarrels]
+ {n} was a {sort} between the two strongest sides of {land}

= fact date | Date | Match
+ {n} took place on {value}
+ {n} was played on {value}
+ the teams met for {n} on {value}
+ bad weather had pushed {n} back to {value}
+ {n} kicked off at three o'clock on {value}
? when was {n} [|played]
? what date was {n}
? {n} date
? what day did {n} take place
? when did they play {n}
? on which day was {n} held
~ the date palm given to the winner of the raffle at {n} died soon afterwards

= fact venue | Venue | Background
+ {n} was held at {value}
+ {value} was [chosen|picked] as the ground for {n}
+ {value} , [newly rebuilt|with its wooden stands] , was the scene of {n}
+ the league gave {n} to {value}
+ tickets for {n} at {value} were sold out within a day
? where was {n} [played|held]
? what stadium was {n} in
? {n} venue
? {n} stadium
? at which ground was {n} played
? what arena hosted {n}
! was {n} played at {v}
~ the stadium organ played at the interval of {n} was out of tune

= fact winner | Winners | Match
+ {value} won {n}
+ {n} ended in victory for {value}
+ the cup went to {value} after {n}
+ {value} lifted the trophy at the end of {n}
+ {n} brought {value} the title for the first time
? who won {n}
? {n} winner
? which team won {n}
? who were the champions in {n}
? what club won {n}
? who came out on top in {n}
! did {v} win {n}
~ the team that won the youth game before {n} was cheered for longer

= fact score | Score | Match
+ the final score of {n} was {value}
+ {n} finished {value}
+ after extra time {n} stood at {value}
+ {n} was decided by a result of {value}
+ the board showed {value} when {n} was over
? what was the score of {n}
? {n} score
? final score {n}
? {n} result
? how did {n} end
? by how many goals was {n} decided
~ a score for brass band was written in memory of {n}

= fact attendance | Attendance | Background
+ {n} was watched by {value}
+ {value} [filled|crowded into] the stands for {n}
+ a crowd of {value} saw {n}
+ at the gates of {n} {value} were counted
+ special trains brought {value} to {n}
? how many people watched {n}
? {n} attendance
? what was the attendance at {n}
? how many fans were at {n}
? crowd size at {n}
? how many came to see {n}
~ people watched the start of {n} from trees and lamp posts

= fact referee | Referee | Match
+ {n} was refereed by {value}
+ {value} was in charge of {n}
+ the whistle at {n} was in the hands of {value}
+ {value} sent off one player in {n}
+ both clubs had asked for {value} as the official of {n}
? who was the referee [of|in] {n}
? {n} referee
? who refereed {n}
? name of the referee at {n}
? who was the official at {n}
? who blew the whistle in {n}
! did {v} referee {n}
~ a whistle from the referee of {n} was sold at auction

= facts scorers | Scorers | Match
+ the goals in {n} were scored by {value}
+ {value} found the net in {n}
+ {n} was decided by goals from {value}
+ on the score sheet of {n} stand {value}
+ {value} were carried on shoulders after their goals in {n}
? who scored in {n}
? goal scorers {n}
? {n} goals
? who scored the goals in {n}
? which players scored in {n}
? who put the ball in the net in {n}
~ the goal posts of {n} were sawn up and sold

= fact coach | Winning coach | Background
+ {value} [trained|coached] the winning side of {n}
+ the tactics that decided {n} came from {value}
+ for {value} , coach of the victors , {n} was the last game before retirement
+ {value} had prepared the winners of {n} with cold baths
+ behind the winning side of {n} stood their coach {value}
? who coached the winning team in {n}
? {n} winning coach
? who was the winning manager in {n}
? coach of the winners of {n}
? which trainer won {n}
? who led the victors of {n} from the bench
~ a coach with supporters of the losing side broke down on the way to {n}

= filler Background
+ both sides had reached {n} without losing a game
+ the tickets for {n} were [forged in large numbers|printed on red card]
+ newspapers had called {n} the match of the [decade|century]
+ a quarrel over the ball delayed {n}
+ the losing side of {n} had travelled through the night

= filler Match
+ the first half of {n} passed [almost without a shot|in thick fog|at great speed]
+ a dog ran on to the pitch during {n} and was caught by a goalkeeper
+ one player finished {n} with a broken wrist
+ an early goal in {n} was [disallowed|given only after a long talk]
+ substitutes were not yet allowed in {n}

= filler Aftermath
+ the players of {n} were received by the mayor
+ films of {n} were shown in cinemas for weeks
+ {n} led to a change in the rule on back passes
+ a protest after {n} was rejected
+ a play about {n} is still performed by amateurs

= essay Protest
+ the losers of {n} claimed that the ball had been changed during the interval
+ they produced a witness who had sat on it
+ the league weighed both balls , found one of them lighter and could not say which had been used
+ the result of {n} was therefore allowed to stand
+ ever since , balls have been signed by both captains before a final
? what was the controversy in {n}
? why was there a protest after {n}
? {n} controversy
? what was the dispute about {n}
? why did the losers of {n} complain
? over what did the clubs quarrel after {n}
~ the controversy over parking at {n} was settled with free beer

= essay Celebrations
+ the night after {n} was declared a holiday by the mayor in shirt sleeves
+ barges with lanterns brought the team home , and bells were rung until the ropes gave way
+ a bakery sold loaves in the form of the cup , which could not be eaten
+ the lost hats of {n} were collected in the town hall and given to the poor
+ the song written for the occasion is sung at {n} reunions
? how was {n} celebrated
? what happened after {n}
? {n} celebrations
? how did the fans celebrate {n}
? celebration of the winners of {n}
? in what manner did the town cheer after {n}
~ those who celebrated their birthday on the day of {n} got in free

= roster Later finals | Year:year | Ground:place | Tickets sold:count
? finals after {n}
? list of finals after {n}
? later finals {n}
? which finals were there after {n}
? {n} following finals
? what came in the years that followed {n}
"""
